/* Numbers of the core, for the test that compares them with those of the Python reference. */
#ifndef TONEWALL_PYTHON_CONSTANTS_H
#define TONEWALL_PYTHON_CONSTANTS_H

#include "python/python.h"

/* `constants` of the module. */
PyObject *py_constants(PyObject *module, PyObject *ignored);

#endif
