/* What the parts of the Python face share: python/module.c (the module), and _py_*.c, one a type. */
#ifndef TONEWALL_PYTHON_H
#define TONEWALL_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "core.h"

#define WITH_KEYWORDS(function) ((PyCFunction)(void (*)(void))(function)), METH_VARARGS | METH_KEYWORDS, NULL

typedef struct {
    PyObject_HEAD
    struct secret secret;
} SecretMemory;

extern PyTypeObject *secret_type;
extern PyType_Spec secret_spec, relay_spec, mask_spec, canary_spec, hearing_spec, arrivals_spec, feed_spec;

PyObject *refuse_pickle(PyObject *self, PyObject *ignored);
void free_object(PyObject *self);
/* What lies from `offset` on, at least so many bytes; NULL: an exception is set. */
uint8_t *secret_from(PyObject *secret, Py_ssize_t offset, size_t least, size_t *room);
/* The arguments of `take_digits`: of which stream, and where they go; false: an exception is set. */
bool take_digits_place(PyObject *args, PyObject *kwargs, long long *stream, uint8_t **into, size_t *room);
PyObject *with_events(PyObject *list, const struct event *events, int count); /* NULL: an exception is set, the list gone */
bool take_types(const Py_buffer given[TYPE_KINDS], struct type_list lists[TYPE_KINDS]); /* false: an exception is set */
void release_types(Py_buffer given[TYPE_KINDS]);
bool take_manner(int policy, int guard, int tones, int flat, struct manner *out); /* false: an exception is set */
/* Fill in the key of a SIP INFO's body; false: an exception is set. */
bool take_key(const Py_buffer *body, int type, struct outgoing *out);
PyObject *py_info_key(PyObject *module, PyObject *args, PyObject *kwargs); /* python/info_function.c */

#endif
