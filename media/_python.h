/* What the parts of the Python face share: _core.c (module, Relay), _py_secret.c, _py_mask.c. */
#ifndef TONEWALL_PYTHON_H
#define TONEWALL_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_core.h"

typedef struct {
    PyObject_HEAD
    struct secret secret;
} SecretMemory;

extern PyTypeObject *secret_type;
extern PyType_Spec secret_spec, mask_spec, canary_spec, hearing_spec, arrivals_spec, feed_spec;

PyObject *refuse_pickle(PyObject *self, PyObject *ignored);
void free_object(PyObject *self);
bool secret_is_ours(SecretMemory *self, PyObject *error);
bool take_types(const Py_buffer given[TYPE_KINDS], struct type_list lists[TYPE_KINDS]); /* false: an exception is set */
void release_types(Py_buffer given[TYPE_KINDS]);
bool take_manner(int policy, int guard, int tones, int flat, struct manner *out); /* false: an exception is set */
/* Fill in the key of a SIP INFO's body; false: an exception is set. */
bool take_key(const Py_buffer *body, int type, struct outgoing *out);
PyObject *py_info_key(PyObject *module, PyObject *args, PyObject *kwargs); /* _py_info.c */

#endif
