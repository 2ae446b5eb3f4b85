/* Canary for the decoder process, and for Python's tests: audio/canary.c without sockets. */
#include "python/python.h"

#include <string.h>

typedef struct {
    PyObject_HEAD
    struct canary canary;
    struct g722 lower;
} Canary;

static PyObject *canary_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "", names))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Canary *self = (Canary *)allocate(type, 0);
    if (self != NULL)
        g722_begin(&self->lower);
    return (PyObject *)self;
}

static void canary_dealloc(PyObject *self) {
    explicit_bzero(&((Canary *)self)->canary, sizeof(struct canary));
    explicit_bzero(&((Canary *)self)->lower, sizeof(struct g722));
    free_object(self);
}

static PyObject *canary_hears_method(PyObject *self, PyObject *args) {
    Py_buffer codes;
    int coding;
    if (!PyArg_ParseTuple(args, "y*i", &codes, &coding))
        return NULL;
    bool heard = false;
    for (Py_ssize_t i = 0; i < codes.len; i++) {
        uint8_t code = ((const uint8_t *)codes.buf)[i];
        int16_t sample = (int16_t)(coding == CODING_G722 ? g722_hear(&((Canary *)self)->lower, code)
                                                         : g711_decode((enum coding)coding, code));
        heard |= canary_hears(&((Canary *)self)->canary, &sample, 1);
    }
    PyBuffer_Release(&codes);
    return PyBool_FromLong(heard);
}

static PyObject *canary_sees_method(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer payload;
    if (!PyArg_ParseTuple(args, "y*", &payload))
        return NULL;
    bool seen = canary_sees(payload.buf, (size_t)payload.len);
    PyBuffer_Release(&payload);
    return PyBool_FromLong(seen);
}

static PyObject *canary_hears_samples(PyObject *self, PyObject *samples) {
    Py_buffer given;
    if (PyObject_GetBuffer(samples, &given, PyBUF_SIMPLE) != 0)
        return NULL;
    bool heard = false;
    for (Py_ssize_t at = 0; at + 2 <= given.len; at += 2) {
        int16_t sample;
        memcpy(&sample, (const char *)given.buf + at, sizeof sample);
        heard |= canary_hears(&((Canary *)self)->canary, &sample, 1);
    }
    PyBuffer_Release(&given);
    return PyBool_FromLong(heard);
}

static PyMethodDef canary_methods[] = {
    {"sees", canary_sees_method, METH_VARARGS, NULL},
    {"hears", canary_hears_method, METH_VARARGS, NULL},
    {"hears_samples", canary_hears_samples, METH_O, NULL},
    {"__reduce__", refuse_pickle, METH_NOARGS, NULL},
    {"__reduce_ex__", refuse_pickle, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot canary_slots[] = {
    {Py_tp_doc, "What leaves, or has left, listened to."},
    {Py_tp_new, canary_new},
    {Py_tp_dealloc, canary_dealloc},
    {Py_tp_methods, canary_methods},
    {0, NULL},
};
PyType_Spec canary_spec = {"media._core.Canary", sizeof(Canary), 0, Py_TPFLAGS_DEFAULT, canary_slots};
