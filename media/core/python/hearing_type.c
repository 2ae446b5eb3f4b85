/* Hearing for the decoder process: the verdicts of mask/hold.c on audio that the core did not
 * decode. */
#include "mask/hold_output.h"
#include "memory/secret.h"
#include "python/arguments.h"
#include "python/python.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    PyObject_HEAD
    struct secret hold;
} Hearing;

static struct hold *hold_of(PyObject *self) { return (struct hold *)((Hearing *)self)->hold.bytes; }

static PyObject *py_hearing_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"policy", "guard", NULL};
    int policy, guard;
    struct mask_options options;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ii", names, &policy, &guard) ||
        !py_read_options(policy, guard, false, false, &options))
        return NULL;
    PyObject *self = py_allocate(type);
    if (self != NULL && !secret_map(&((Hearing *)self)->hold, sizeof(struct hold))) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_CLEAR(self);
    }
    if (self != NULL)
        hold_begin(hold_of(self), &options);
    return self;
}

static void py_hearing_dealloc(PyObject *self) {
    secret_unmap(&((Hearing *)self)->hold);
    py_free_object(self);
}

static PyObject *py_hearing_hear(PyObject *self, PyObject *samples) {
    Py_buffer given;
    if (PyObject_GetBuffer(samples, &given, PyBUF_SIMPLE) != 0)
        return NULL;
    for (Py_ssize_t at = 0; at + 2 <= given.len; at += 2) {
        int16_t sample;
        memcpy(&sample, (const char *)given.buf + at, sizeof sample);
        hold_hear(hold_of(self), sample);
    }
    PyBuffer_Release(&given);
    return PyLong_FromLongLong(hold_of(self)->block * BLOCK);
}

static PyObject *py_hearing_event(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    hold_event(hold_of(self), 0);
    hold_of(self)->sounded_ms = NEVER;
    Py_RETURN_NONE;
}

static PyObject *py_hearing_take_tone(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    bool sounded = hold_of(self)->sounded_ms != NEVER;
    hold_of(self)->sounded_ms = NEVER;
    return PyBool_FromLong(sounded);
}

static PyObject *py_hearing_is_shut(PyObject *self, PyObject *args) {
    long long from, to;
    if (!PyArg_ParseTuple(args, "LL", &from, &to))
        return NULL;
    return PyBool_FromLong(hold_is_shut(hold_of(self), from, to));
}

static PyMethodDef hearing_methods[] = {
    {"hear", py_hearing_hear, METH_O, NULL},
    {"event", py_hearing_event, METH_NOARGS, NULL},
    {"take_tone", py_hearing_take_tone, METH_NOARGS, NULL},
    {"is_shut", py_hearing_is_shut, METH_VARARGS, NULL},
    NOT_PICKLED,
    {NULL, NULL, 0, NULL},
};
static PyType_Slot hearing_slots[] = {
    {Py_tp_doc, "Audio, shut as the hold shuts it."},
    {Py_tp_new, py_hearing_new},
    {Py_tp_dealloc, py_hearing_dealloc},
    {Py_tp_methods, hearing_methods},
    {0, NULL},
};
PyType_Spec hearing_spec = {"media._core.Hearing", sizeof(Hearing), 0, Py_TPFLAGS_DEFAULT, hearing_slots};
