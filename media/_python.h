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
extern PyType_Spec secret_spec, mask_spec;

PyObject *refuse_pickle(PyObject *self, PyObject *ignored);
void free_object(PyObject *self);
bool secret_is_ours(SecretMemory *self, PyObject *error);
bool are_types(Py_buffer *types); /* false: an exception is set */

#endif
