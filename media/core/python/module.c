/* The Python face of the media core: the module. Stable ABI of Python 3.11. */
#include "python/python.h"

#include <errno.h>

static PyObject *confine(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    int error = seccomp_confine();
    if (error == 0)
        Py_RETURN_NONE;
    errno = -error;
    return PyErr_SetFromErrno(PyExc_OSError);
}

static PyObject *secret_bytes(PyObject *Py_UNUSED(module), PyObject *args) {
    unsigned int streams, masked, decoded; /* no overflow: a place has less than 2^20 bytes */
    if (!PyArg_ParseTuple(args, "III", &streams, &masked, &decoded))
        return NULL;
    return PyLong_FromSize_t(relay_secret_bytes(streams, masked, decoded));
}

static PyMethodDef functions[] = {
    {"secret_bytes", secret_bytes, METH_VARARGS, NULL},
    {"info_key", WITH_KEYWORDS(py_info_key)},
    {"confine", confine, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "media._core",
    .m_doc = "The media core.",
    .m_size = -1,
    .m_methods = functions,
};

static int add_type(PyObject *core, PyType_Spec *spec, PyTypeObject **kept) {
    PyObject *type = PyType_FromSpec(spec);
    if (type == NULL)
        return -1;
    if (kept != NULL)
        *kept = (PyTypeObject *)Py_NewRef(type);
    int failed = PyModule_AddType(core, (PyTypeObject *)type);
    Py_DECREF(type);
    return failed;
}

PyMODINIT_FUNC PyInit__core(void) {
    PyObject *core = PyModule_Create(&module);
    if (core == NULL)
        return NULL;
    g711_prepare();
    inband_prepare();
    suspicion_prepare();
    canary_prepare();
    if (!crypto_prepare())
        return PyErr_Format(PyExc_ImportError, "libsrtp2 does not start");
    if (add_type(core, &secret_spec, &secret_type) != 0 || add_type(core, &relay_spec, NULL) != 0 ||
        add_type(core, &mask_spec, NULL) != 0 || add_type(core, &canary_spec, NULL) != 0 || add_type(core, &hearing_spec, NULL) != 0 ||
        add_type(core, &arrivals_spec, NULL) != 0 || add_type(core, &feed_spec, NULL) != 0 ||
        PyModule_AddIntConstant(core, "CALLER", CALLER) != 0 ||
        PyModule_AddIntConstant(core, "AGENT", AGENT) != 0 || PyModule_AddIntConstant(core, "KEYED", KEYED) != 0 ||
        PyModule_AddIntConstant(core, "OVERFLOW", OVERFLOW) != 0 || PyModule_AddIntConstant(core, "LEAKED", LEAKED) != 0 ||
        PyModule_AddIntConstant(core, "GUARD", GUARD) != 0) {
        Py_DECREF(core);
        return NULL;
    }
    return core;
}
