/* Feed for Python: what was keyed is counted here and moved into SecretMemory, never made an object. */
#include "python/python.h"

#include "dtmf/digit_socket.h"
#include "relay/relay.h"

#include <errno.h>
#include <stdlib.h>

enum { TURN = 256, EVENTS = LISTENERS * EVENT_KINDS };

typedef struct {
    PyObject_HEAD
    struct feed feed;
} Feed;

static struct feed *feed_of(PyObject *self) { return &((Feed *)self)->feed; }

static bool take_servers(struct feed *feed, PyObject *given) {
    Py_ssize_t count = PySequence_Size(given);
    if (count < 0)
        return false;
    feed->servers = calloc((size_t)count + 1, sizeof *feed->servers);
    if (feed->servers == NULL) {
        PyErr_NoMemory();
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PySequence_GetItem(given, i);
        const char *address = item != NULL ? PyUnicode_AsUTF8AndSize(item, NULL) : NULL;
        bool parsed = address != NULL && source_parse(address, 0, &feed->servers[feed->server_count++]);
        Py_XDECREF(item);
        if (!parsed) {
            if (!PyErr_Occurred())
                PyErr_Format(PyExc_ValueError, "servers: expected numeric addresses");
            return false;
        }
    }
    return true;
}

static PyObject *feed_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"fd", "servers", NULL};
    int fd;
    PyObject *servers;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iO", names, &fd, &servers))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    PyObject *self = allocate(type, 0);
    if (self == NULL)
        return NULL;
    struct feed *feed = feed_of(self);
    feed->fd = -1; /* the caller's until all else is there */
    if (!take_servers(feed, servers)) {
        Py_DECREF(self);
        return NULL;
    }
    if (!feed_prepare(feed)) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF(self);
        return NULL;
    }
    feed->fd = fd;
    return self;
}

static void feed_dealloc(PyObject *self) {
    feed_free(feed_of(self));
    free_object(self);
}

static PyObject *feed_fileno(PyObject *self, PyObject *Py_UNUSED(ignored)) { return PyLong_FromLong(feed_of(self)->fd); }

static PyObject *feed_open_method(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "call", "tag", NULL};
    long long stream;
    const char *call, *tag;
    Py_ssize_t call_length, tag_length;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Ly#y#", names, &stream, &call, &call_length, &tag, &tag_length))
        return NULL;
    int failed = feed_open(feed_of(self), stream, (struct text){(const uint8_t *)call, (size_t)call_length},
                           (struct text){(const uint8_t *)tag, (size_t)tag_length});
    if (failed != 0) {
        errno = -failed;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

static PyObject *feed_close_method(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", NULL};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "L", names, &stream))
        return NULL;
    feed_close(feed_of(self), stream);
    Py_RETURN_NONE;
}

static PyObject *feed_receive_method(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    struct feed *feed = feed_of(self);
    struct event events[EVENTS];
    int64_t now_ms = clock_ms();
    for (int left = TURN; left > 0 && feed_receive(feed, now_ms); left--)
        ;
    int count = feed_events(feed, events, EVENTS);
    return with_events(PyList_New(0), events, count);
}

static PyObject *feed_take_digits(PyObject *self, PyObject *args, PyObject *kwargs) {
    long long stream;
    uint8_t *into;
    size_t room;
    if (!take_digits_place(args, kwargs, &stream, &into, &room))
        return NULL;
    int taken = feed_take(feed_of(self), stream, into, room);
    if (taken < 0)
        return PyErr_Format(PyExc_KeyError, "no stream %lld", stream);
    return PyLong_FromLong(taken);
}

static PyObject *feed_counters(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    const struct feed *feed = feed_of(self);
    return Py_BuildValue("{sKsKsKsK}", "heard", feed->heard, "unwanted", feed->unwanted, "strangers", feed->strangers,
                         "malformed", feed->malformed);
}

static PyMethodDef feed_methods[] = {
    {"fileno", feed_fileno, METH_NOARGS, NULL},
    {"open", WITH_KEYWORDS(feed_open_method)},
    {"close", WITH_KEYWORDS(feed_close_method)},
    {"receive", feed_receive_method, METH_NOARGS, NULL},
    {"take_digits", WITH_KEYWORDS(feed_take_digits)},
    {"counters", feed_counters, METH_NOARGS, NULL},
    {"__reduce__", refuse_pickle, METH_NOARGS, NULL},
    {"__reduce_ex__", refuse_pickle, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot feed_slots[] = {
    {Py_tp_doc, "The socket on which rtpengine servers report keys."},
    {Py_tp_new, feed_new},
    {Py_tp_dealloc, feed_dealloc},
    {Py_tp_methods, feed_methods},
    {0, NULL},
};
PyType_Spec feed_spec = {"media._core.Feed", sizeof(Feed), 0, Py_TPFLAGS_DEFAULT, feed_slots};
