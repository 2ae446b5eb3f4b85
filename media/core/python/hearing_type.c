/* Hearing for the decoder process: what mask/hold.c would shut, of audio that the core did not decode. */
#include "python/python.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    PyObject_HEAD
    struct secret hold;
} Hearing;

static struct hold *of(PyObject *self) { return (struct hold *)((Hearing *)self)->hold.bytes; }

static PyObject *hearing_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"policy", "guard", NULL};
    int policy, guard;
    struct manner manner;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ii", names, &policy, &guard) ||
        !take_manner(policy, guard, false, false, &manner))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    PyObject *self = allocate(type, 0);
    if (self != NULL && !secret_map(&((Hearing *)self)->hold, sizeof(struct hold))) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_CLEAR(self);
    }
    if (self != NULL)
        hold_begin(of(self), &manner);
    return self;
}

static void hearing_dealloc(PyObject *self) {
    secret_unmap(&((Hearing *)self)->hold);
    free_object(self);
}

static PyObject *hearing_hear(PyObject *self, PyObject *samples) {
    Py_buffer given;
    if (PyObject_GetBuffer(samples, &given, PyBUF_SIMPLE) != 0)
        return NULL;
    for (Py_ssize_t at = 0; at + 2 <= given.len; at += 2) {
        int16_t sample;
        memcpy(&sample, (const char *)given.buf + at, sizeof sample);
        hold_hear(of(self), sample);
    }
    PyBuffer_Release(&given);
    return PyLong_FromLongLong(of(self)->block * BLOCK);
}

static PyObject *hearing_event(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    hold_event(of(self), 0);
    of(self)->sounded_ms = NEVER;
    Py_RETURN_NONE;
}

static PyObject *hearing_take_tone(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    bool sounded = of(self)->sounded_ms != NEVER;
    of(self)->sounded_ms = NEVER;
    return PyBool_FromLong(sounded);
}

static PyObject *hearing_is_shut(PyObject *self, PyObject *args) {
    long long from, to;
    if (!PyArg_ParseTuple(args, "LL", &from, &to))
        return NULL;
    return PyBool_FromLong(hold_is_shut(of(self), from, to));
}

static PyMethodDef hearing_methods[] = {
    {"hear", hearing_hear, METH_O, NULL},
    {"event", hearing_event, METH_NOARGS, NULL},
    {"take_tone", hearing_take_tone, METH_NOARGS, NULL},
    {"is_shut", hearing_is_shut, METH_VARARGS, NULL},
    {"__reduce__", refuse_pickle, METH_NOARGS, NULL},
    {"__reduce_ex__", refuse_pickle, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot hearing_slots[] = {
    {Py_tp_doc, "Audio, heard as the hold hears it."},
    {Py_tp_new, hearing_new},
    {Py_tp_dealloc, hearing_dealloc},
    {Py_tp_methods, hearing_methods},
    {0, NULL},
};
PyType_Spec hearing_spec = {"media._core.Hearing", sizeof(Hearing), 0, Py_TPFLAGS_DEFAULT, hearing_slots};
