/* The key in a SIP INFO for Python. */
#ifndef TONEWALL_PYTHON_INFO_FUNCTION_H
#define TONEWALL_PYTHON_INFO_FUNCTION_H

#include "python/python.h"

/* `info_key` of the module. */
PyObject *py_info_key(PyObject *module, PyObject *args, PyObject *kwargs);

#endif
