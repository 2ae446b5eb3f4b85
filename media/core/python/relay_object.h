/* The object of Relay for Python: its life, and its commands, which run without the GIL. */
#ifndef TONEWALL_PYTHON_RELAY_OBJECT_H
#define TONEWALL_PYTHON_RELAY_OBJECT_H

#include "python/python.h"
#include "relay/relay_api.h"

#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    PyObject_HEAD
    struct relay *relay; /* owned by the process that made it */
    pid_t owner;
} Relay;

/* Runs a command. False: an exception is set. */
bool py_relay_run(PyObject *self, struct command *command);
/* The same: None or NULL. */
PyObject *py_relay_run_or_null(PyObject *self, struct command *command);

/* tp_new. */
PyObject *py_relay_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
/* tp_dealloc. Stops the thread. */
void py_relay_dealloc(PyObject *self);
/* `start`. */
PyObject *py_relay_start(PyObject *self, PyObject *args, PyObject *kwargs);
/* `set_realtime`. */
PyObject *py_relay_set_realtime(PyObject *self, PyObject *ignored);
/* `stop`. */
PyObject *py_relay_stop(PyObject *self, PyObject *ignored);
/* `fileno`. */
PyObject *py_relay_fileno(PyObject *self, PyObject *ignored);
/* `take_events`. */
PyObject *py_relay_take_events(PyObject *self, PyObject *ignored);

#endif
