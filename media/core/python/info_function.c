/* Keys in SIP INFO for Python: they go into secret memory, or to the relay, and nowhere else. */
#include "python/python.h"

bool take_key(const Py_buffer *body, int type, struct outgoing *out) {
    if (type < 0 || type > 127 || out->clock < 1 || out->clock > MOST_CLOCK) {
        PyErr_Format(PyExc_ValueError, "payload_type is 0 to 127, clock 1 to %d Hz", MOST_CLOCK);
        return false;
    }
    int code = info_key(body->buf, (size_t)body->len);
    if (code < 0) {
        PyErr_SetString(PyExc_ValueError, "no key can be read from this body");
        return false;
    }
    out->code = (uint8_t)code;
    out->type = (uint8_t)type;
    out->duration_ms = info_duration(body->buf, (size_t)body->len);
    return true;
}

PyObject *py_info_key(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"body", "into", "offset", NULL};
    (void)module;
    Py_buffer body;
    PyObject *into;
    Py_ssize_t offset;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*O!n", names, &body, secret_type, &into, &offset))
        return NULL;
    int code = info_key(body.buf, (size_t)body.len);
    PyBuffer_Release(&body);
    size_t room;
    uint8_t *digit = secret_from(into, offset, 1, &room);
    if (digit == NULL)
        return NULL;
    if (code == INFO_MALFORMED)
        return PyErr_Format(PyExc_ValueError, "no key can be read from this body");
    if (code >= 0)
        *digit = (uint8_t)"0123456789*#ABCD"[code];
    return PyLong_FromLong(code >= 0);
}
