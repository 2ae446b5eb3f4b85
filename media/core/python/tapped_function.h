/* The record of a packet's header for Python, for tests. */
#ifndef TONEWALL_PYTHON_TAPPED_FUNCTION_H
#define TONEWALL_PYTHON_TAPPED_FUNCTION_H

#include "python/python.h"

/* `tapped` of the module. */
PyObject *py_tapped(PyObject *module, PyObject *args, PyObject *kwargs);

#endif
