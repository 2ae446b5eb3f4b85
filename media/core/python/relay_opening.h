/* The methods of Relay for Python that open streams, and go on with those of another process. */
#ifndef TONEWALL_PYTHON_RELAY_OPENING_H
#define TONEWALL_PYTHON_RELAY_OPENING_H

#include "python/python.h"

/* `open_stream`. */
PyObject *py_relay_open_stream(PyObject *self, PyObject *args, PyObject *kwargs);
/* `adopt_stream`. */
PyObject *py_relay_adopt_stream(PyObject *self, PyObject *args, PyObject *kwargs);
/* `resume_stream`. */
PyObject *py_relay_resume_stream(PyObject *self, PyObject *args, PyObject *kwargs);

#endif
