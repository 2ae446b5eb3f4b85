/* The methods of Relay for Python about what is played. */
#ifndef TONEWALL_PYTHON_RELAY_PLAYING_H
#define TONEWALL_PYTHON_RELAY_PLAYING_H

#include "python/python.h"

/* `play`. */
PyObject *py_relay_play(PyObject *self, PyObject *args, PyObject *kwargs);
/* `stop_play`. */
PyObject *py_relay_stop_play(PyObject *self, PyObject *args, PyObject *kwargs);
/* `played`. */
PyObject *py_relay_played(PyObject *self, PyObject *args, PyObject *kwargs);
/* `barge_in`. */
PyObject *py_relay_barge_in(PyObject *self, PyObject *args, PyObject *kwargs);
/* `departed_type`. */
PyObject *py_relay_departed_type(PyObject *self, PyObject *args, PyObject *kwargs);

#endif
