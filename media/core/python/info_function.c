/* The key in a SIP INFO for Python: it goes into secret memory, and nowhere else. */
#include "python/info_function.h"

#include "dtmf/keys.h"
#include "dtmf/sip_info.h"
#include "python/secret_type.h"

PyObject *py_info_key(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs) {
    static char *names[] = {"body", "into", "offset", NULL};
    Py_buffer body;
    PyObject *into;
    Py_ssize_t offset;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*O!n", names, &body, py_secret_type, &into, &offset))
        return NULL;
    int code = sip_info_key(body.buf, (size_t)body.len);
    PyBuffer_Release(&body);
    size_t room;
    uint8_t *digit = py_secret_from(into, offset, 1, &room);
    if (digit == NULL)
        return NULL;
    if (code == SIP_INFO_MALFORMED)
        return PyErr_Format(PyExc_ValueError, "no key can be read from this body");
    if (code >= 0)
        *digit = keys_ascii(code);
    return PyLong_FromLong(code >= 0);
}
