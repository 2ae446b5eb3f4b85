/* The object of Relay for Python: its life, and its commands, which run without the GIL. */
#include "python/relay_object.h"

#include "python/notices.h"

#include <errno.h>
#include <unistd.h>

PyObject *py_relay_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "", names))
        return NULL;
    Relay *self = py_allocate(type);
    if (self == NULL)
        return NULL;
    self->owner = getpid();
    self->relay = relay_new();
    if (self->relay == NULL) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

void py_relay_dealloc(PyObject *object) {
    Relay *self = (Relay *)object;
    if (self->relay != NULL && self->owner == getpid()) { /* a child has the object, but not the thread */
        Py_BEGIN_ALLOW_THREADS
        relay_free(self->relay);
        Py_END_ALLOW_THREADS
    }
    py_free_object(object);
}

/* The relay, in the process that made it. A child has the object, but neither the thread nor the
 * secret memory. NULL: an exception is set. */
static struct relay *own_relay(PyObject *self) {
    if (((Relay *)self)->owner == getpid())
        return ((Relay *)self)->relay;
    PyErr_SetString(PyExc_RuntimeError, "the relay belongs to the parent process");
    return NULL;
}

bool py_relay_run(PyObject *self, struct command *command) {
    struct relay *relay = own_relay(self);
    if (relay == NULL)
        return false;
    Py_BEGIN_ALLOW_THREADS
    relay_run(relay, command);
    Py_END_ALLOW_THREADS
    if (command->result >= 0)
        return true;
    if (command->result == -ENOENT)
        PyErr_Format(PyExc_KeyError, "no stream %lld", (long long)command->stream);
    else if (command->result == -EEXIST)
        PyErr_Format(PyExc_ValueError, "stream %lld is open already", (long long)command->stream);
    else if (command->result == -ESHUTDOWN)
        PyErr_SetString(PyExc_RuntimeError, "the relay is not running");
    else {
        errno = -command->result;
        PyErr_SetFromErrno(PyExc_OSError);
    }
    return false;
}

PyObject *py_relay_run_or_null(PyObject *self, struct command *command) {
    if (!py_relay_run(self, command))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *started_or_error(int error) {
    if (error == -EALREADY)
        return PyErr_Format(PyExc_RuntimeError, "the relay was started before");
    if (error == -ESHUTDOWN)
        return PyErr_Format(PyExc_RuntimeError, "the relay is not running");
    return py_none_or_error(error);
}

PyObject *py_relay_start(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"processor", "coalescing_us", "masked_coalescing_us", NULL};
    int processor = -1, coalescing_us = 0, masked_coalescing_us = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|iii", names, &processor, &coalescing_us,
                                     &masked_coalescing_us))
        return NULL;
    struct relay *relay = own_relay(self);
    return relay == NULL
               ? NULL
               : started_or_error(relay_start(relay, processor, coalescing_us, masked_coalescing_us));
}

PyObject *py_relay_set_realtime(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    struct relay *relay = own_relay(self);
    return relay == NULL ? NULL : started_or_error(relay_set_realtime(relay));
}

PyObject *py_relay_stop(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    struct command command = {.kind = COMMAND_STOP};
    if (((Relay *)self)->owner == getpid()) {
        Py_BEGIN_ALLOW_THREADS
        relay_run(((Relay *)self)->relay, &command);
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

PyObject *py_relay_fileno(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    struct relay *relay = own_relay(self);
    return relay == NULL ? NULL : PyLong_FromLong(relay_fileno(relay));
}

PyObject *py_relay_take_events(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    struct notice notices[64];
    struct relay *relay = own_relay(self);
    PyObject *list = relay == NULL ? NULL : PyList_New(0);
    for (int count = 1; list != NULL && count > 0;) {
        count = relay_take_notices(relay, notices, 64);
        list = py_append_notices(list, notices, count);
    }
    return list;
}
