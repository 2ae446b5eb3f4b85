/* `info_key` for Python: the key goes into secret memory, and nowhere else. */
#include "_python.h"

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
    SecretMemory *memory = (SecretMemory *)into;
    if (!secret_is_ours(memory, PyExc_RuntimeError))
        return NULL;
    if (offset < 0 || (size_t)offset >= memory->secret.size)
        return PyErr_Format(PyExc_ValueError, "offset lies outside the memory");
    if (code == INFO_MALFORMED)
        return PyErr_Format(PyExc_ValueError, "no key can be read from this body");
    if (code >= 0)
        memory->secret.bytes[offset] = (uint8_t)"0123456789*#ABCD"[code];
    return PyLong_FromLong(code >= 0);
}
