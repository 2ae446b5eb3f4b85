/* Canary for Python's tests: _canary.c without sockets. */
#include "_python.h"

#include <string.h>

typedef struct {
    PyObject_HEAD
    struct canary canary;
} Canary;

static PyObject *canary_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "", names))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    return allocate(type, 0);
}

static void canary_dealloc(PyObject *self) {
    explicit_bzero(&((Canary *)self)->canary, sizeof(struct canary));
    free_object(self);
}

static PyObject *canary_hears_method(PyObject *self, PyObject *args) {
    Py_buffer codes;
    int is_a;
    if (!PyArg_ParseTuple(args, "y*p", &codes, &is_a))
        return NULL;
    bool heard = false;
    for (Py_ssize_t i = 0; i < codes.len; i++) {
        int16_t sample = (int16_t)g711_decode(is_a ? LAW_A : LAW_MU, ((const uint8_t *)codes.buf)[i]);
        heard |= canary_hears(&((Canary *)self)->canary, &sample, 1);
    }
    PyBuffer_Release(&codes);
    return PyBool_FromLong(heard);
}

static PyMethodDef canary_methods[] = {
    {"hears", canary_hears_method, METH_VARARGS, NULL},
    {"__reduce__", refuse_pickle, METH_NOARGS, NULL},
    {"__reduce_ex__", refuse_pickle, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot canary_slots[] = {
    {Py_tp_doc, "What leaves, listened to."},
    {Py_tp_new, canary_new},
    {Py_tp_dealloc, canary_dealloc},
    {Py_tp_methods, canary_methods},
    {0, NULL},
};
PyType_Spec canary_spec = {"media._core.Canary", sizeof(Canary), 0, Py_TPFLAGS_DEFAULT, canary_slots};
