/* Canary for the decoder process, and for Python's tests: audio/canary.c without sockets. */
#include "audio/canary.h"
#include "audio/g711.h"
#include "audio/g722.h"
#include "python/python.h"

#include <stdbool.h>

#include <string.h>

typedef struct {
    PyObject_HEAD
    struct canary canary;
    struct g722 lower;
} Canary;

static PyObject *py_canary_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "", names))
        return NULL;
    Canary *self = py_allocate(type);
    if (self != NULL)
        g722_begin(&self->lower);
    return (PyObject *)self;
}

static void py_canary_dealloc(PyObject *self) {
    explicit_bzero(&((Canary *)self)->canary, sizeof(struct canary));
    explicit_bzero(&((Canary *)self)->lower, sizeof(struct g722));
    py_free_object(self);
}

static PyObject *py_canary_hears(PyObject *self, PyObject *args) {
    Py_buffer codes;
    int coding;
    if (!PyArg_ParseTuple(args, "y*i", &codes, &coding))
        return NULL;
    bool is_key = false;
    for (Py_ssize_t i = 0; i < codes.len; i++) {
        uint8_t code = ((const uint8_t *)codes.buf)[i];
        int16_t sample = (int16_t)(coding == CODING_G722 ? g722_decode(&((Canary *)self)->lower, code)
                                                         : g711_decode((enum coding)coding, code));
        is_key |= canary_hears(&((Canary *)self)->canary, &sample, 1);
    }
    PyBuffer_Release(&codes);
    return PyBool_FromLong(is_key);
}

static PyObject *py_canary_sees(PyObject *Py_UNUSED(self), PyObject *args) {
    Py_buffer payload;
    if (!PyArg_ParseTuple(args, "y*", &payload))
        return NULL;
    bool seen = canary_sees(payload.buf, (size_t)payload.len);
    PyBuffer_Release(&payload);
    return PyBool_FromLong(seen);
}

static PyObject *py_canary_hears_samples(PyObject *self, PyObject *samples) {
    Py_buffer given;
    if (PyObject_GetBuffer(samples, &given, PyBUF_SIMPLE) != 0)
        return NULL;
    bool is_key = false;
    for (Py_ssize_t at = 0; at + 2 <= given.len; at += 2) {
        int16_t sample;
        memcpy(&sample, (const char *)given.buf + at, sizeof sample);
        is_key |= canary_hears(&((Canary *)self)->canary, &sample, 1);
    }
    PyBuffer_Release(&given);
    return PyBool_FromLong(is_key);
}

static PyMethodDef canary_methods[] = {
    {"sees", py_canary_sees, METH_VARARGS, NULL},
    {"hears", py_canary_hears, METH_VARARGS, NULL},
    {"hears_samples", py_canary_hears_samples, METH_O, NULL},
    NOT_PICKLED,
    {NULL, NULL, 0, NULL},
};
static PyType_Slot canary_slots[] = {
    {Py_tp_doc, "The check on audio and payloads that leave."},
    {Py_tp_new, py_canary_new},
    {Py_tp_dealloc, py_canary_dealloc},
    {Py_tp_methods, canary_methods},
    {0, NULL},
};
PyType_Spec canary_spec = {"media._core.Canary", sizeof(Canary), 0, Py_TPFLAGS_DEFAULT, canary_slots};
