/* The Python face of the media core: the module. Stable ABI of Python 3.11. */
#include "audio/canary.h"
#include "audio/g711.h"
#include "audio/inband.h"
#include "audio/sensitive_detector.h"
#include "dtmf/notice.h"
#include "mask/hold.h"
#include "python/constants.h"
#include "python/info_function.h"
#include "python/python.h"
#include "python/recording_type.h"
#include "python/recovery_page_type.h"
#include "python/secret_type.h"
#include "python/tapped_function.h"
#include "relay/relay_api.h"
#include "relay/slot.h"
#include "relay/srtp.h"

static PyObject *py_secret_bytes(PyObject *Py_UNUSED(module), PyObject *args) {
    unsigned int streams, masked, decoded; /* no overflow: a place has less than 2^20 bytes */
    if (!PyArg_ParseTuple(args, "III", &streams, &masked, &decoded))
        return NULL;
    return PyLong_FromSize_t(relay_secret_bytes(streams, masked, decoded));
}

static PyMethodDef functions[] = {
    {"secret_bytes", py_secret_bytes, METH_VARARGS, NULL},
    {"info_key", WITH_KEYWORDS(py_info_key)},
    {"tapped", WITH_KEYWORDS(py_tapped)},
    {"constants", py_constants, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "media._core",
    .m_doc = "The media core.",
    .m_size = -1,
    .m_methods = functions,
};

/* `kept` (NULL: nowhere): where a reference to the type stays. 0, or -1 with an exception set. */
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

static int add_types(PyObject *core) {
    static PyType_Spec *const specs[] = {&relay_spec,   &mask_spec,     &canary_spec,
                                         &hearing_spec, &arrivals_spec, &digit_socket_spec,
                                         &player_spec,  &agent_keys_spec};
    int failed = add_type(core, &secret_spec, &py_secret_type);
    if (failed == 0)
        failed = add_type(core, &recording_spec, &py_recording_type);
    if (failed == 0)
        failed = add_type(core, &recovery_page_spec, &py_recovery_page_type);
    for (size_t i = 0; i < sizeof specs / sizeof *specs && failed == 0; i++)
        failed = add_type(core, specs[i], NULL);
    return failed;
}

static int add_constants(PyObject *core) {
    static const struct {
        const char *name;
        int value;
    } constants[] = {{"CALLER", CALLER},        {"AGENT", AGENT},
                     {"KEYED", NOTICE_KEYED},   {"OVERFLOW", NOTICE_OVERFLOW},
                     {"LEAKED", NOTICE_LEAKED}, {"PLAYED", NOTICE_PLAYED},
                     {"DONE", PLAY_DONE},       {"KEY", PLAY_KEY},
                     {"STOPPED", PLAY_STOPPED}, {"CODE", NOTICE_CODE},
                     {"GUARD", GUARD},          {"PASSED", NOTICE_PASSED},
                     {"RECOVERY_SLOT", RECOVERY_SLOT}};
    int failed = 0;
    for (size_t i = 0; i < sizeof constants / sizeof *constants && failed == 0; i++)
        failed = PyModule_AddIntConstant(core, constants[i].name, constants[i].value);
    return failed;
}

PyMODINIT_FUNC PyInit__core(void) {
    PyObject *core = PyModule_Create(&module);
    if (core == NULL)
        return NULL;
    g711_prepare();
    inband_prepare();
    sensitive_prepare();
    canary_prepare();
    if (!crypto_prepare())
        return PyErr_Format(PyExc_ImportError, "libsrtp2 does not start");
    if (add_types(core) != 0 || add_constants(core) != 0) {
        Py_DECREF(core);
        return NULL;
    }
    return core;
}
