/* The parts that all types of the Python module share. Stable ABI of Python 3.11. */
#ifndef TONEWALL_PYTHON_PYTHON_H
#define TONEWALL_PYTHON_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define WITH_KEYWORDS(function) ((PyCFunction)(void (*)(void))(function)), METH_VARARGS | METH_KEYWORDS, NULL
/* The methods that keep an object from being pickled or copied. */
#define NOT_PICKLED                                                                                          \
    {"__reduce__", py_refuse_pickle, METH_NOARGS, NULL}, { "__reduce_ex__", py_refuse_pickle, METH_O, NULL }

/* The types, one a source. */
extern PyType_Spec secret_spec, relay_spec, mask_spec, canary_spec, hearing_spec, arrivals_spec,
    digit_socket_spec, recording_spec, player_spec, agent_keys_spec, recovery_page_spec;

/* An object of zeros; NULL: an exception is set. */
void *py_allocate(PyTypeObject *type);
/* Frees the memory of an object, and lets its type go. */
void py_free_object(PyObject *self);
/* Sets TypeError. */
PyObject *py_refuse_pickle(PyObject *self, PyObject *ignored);
/* None, or OSError for -errno. */
PyObject *py_none_or_error(int error);

#endif
