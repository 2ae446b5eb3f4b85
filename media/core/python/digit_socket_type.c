/* Feed for Python: digits are counted here and moved into SecretMemory, and never become an
 * object. */
#include "dtmf/digit_socket.h"
#include "python/arguments.h"
#include "python/notices.h"
#include "python/python.h"
#include "relay/clock.h"
#include "rtp/source.h"

#include <stdlib.h>

enum { DATAGRAMS_MAX = 256, NOTICES_MAX = LISTENERS * NOTICE_KINDS };

typedef struct {
    PyObject_HEAD
    struct digit_socket digits;
} Feed;

static struct digit_socket *digits_of(PyObject *self) { return &((Feed *)self)->digits; }

static bool read_servers(struct digit_socket *digits, PyObject *given) {
    Py_ssize_t count = PySequence_Size(given);
    if (count < 0)
        return false;
    digits->servers = calloc((size_t)count + 1, sizeof *digits->servers);
    if (digits->servers == NULL) {
        PyErr_NoMemory();
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PySequence_GetItem(given, i);
        const char *address = item != NULL ? PyUnicode_AsUTF8AndSize(item, NULL) : NULL;
        bool parsed = address != NULL && source_parse(address, 0, &digits->servers[digits->server_count++]);
        Py_XDECREF(item);
        if (!parsed) {
            if (!PyErr_Occurred())
                PyErr_Format(PyExc_ValueError, "servers: expected numeric addresses");
            return false;
        }
    }
    return true;
}

static PyObject *py_digit_socket_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"fd", "servers", NULL};
    int fd;
    PyObject *servers;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iO", names, &fd, &servers))
        return NULL;
    PyObject *self = py_allocate(type);
    if (self == NULL)
        return NULL;
    struct digit_socket *digits = digits_of(self);
    digits->fd = -1; /* the caller's until all else is there */
    if (!read_servers(digits, servers)) {
        Py_DECREF(self);
        return NULL;
    }
    if (!digit_socket_prepare(digits)) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF(self);
        return NULL;
    }
    digits->fd = fd;
    return self;
}

static void py_digit_socket_dealloc(PyObject *self) {
    digit_socket_free(digits_of(self));
    py_free_object(self);
}

static PyObject *py_digit_socket_fileno(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    return PyLong_FromLong(digits_of(self)->fd);
}

static PyObject *py_digit_socket_open(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "call", "tag", NULL};
    long long stream;
    const char *call, *tag;
    Py_ssize_t call_length, tag_length;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Ly#y#", names, &stream, &call, &call_length, &tag,
                                     &tag_length))
        return NULL;
    int error = digit_socket_open(digits_of(self), stream,
                                  (struct log_string){(const uint8_t *)call, (size_t)call_length},
                                  (struct log_string){(const uint8_t *)tag, (size_t)tag_length});
    return py_none_or_error(error);
}

static PyObject *py_digit_socket_close(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", NULL};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "L", names, &stream))
        return NULL;
    digit_socket_close(digits_of(self), stream);
    Py_RETURN_NONE;
}

static PyObject *py_digit_socket_receive(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    struct digit_socket *digits = digits_of(self);
    struct notice notices[NOTICES_MAX];
    int64_t now_ms = clock_ms();
    for (int left = DATAGRAMS_MAX; left > 0 && digit_socket_receive(digits, now_ms); left--)
        ;
    int count = digit_socket_notices(digits, notices, NOTICES_MAX);
    return py_append_notices(PyList_New(0), notices, count);
}

static PyObject *py_digit_socket_take_digits(PyObject *self, PyObject *args, PyObject *kwargs) {
    long long stream;
    uint8_t *into;
    size_t room;
    if (!py_read_digits_place(args, kwargs, &stream, &into, &room))
        return NULL;
    int count = digit_socket_take(digits_of(self), stream, into, room);
    if (count < 0)
        return PyErr_Format(PyExc_KeyError, "no stream %lld", stream);
    return PyLong_FromLong(count);
}

static PyObject *py_digit_socket_counters(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    const struct digit_socket *digits = digits_of(self);
    return Py_BuildValue("{sKsKsKsK}", "heard", digits->accepted, "unwanted", digits->unwanted,
                         "foreign_source", digits->foreign_source, "malformed", digits->malformed);
}

static PyMethodDef digit_socket_methods[] = {
    {"fileno", py_digit_socket_fileno, METH_NOARGS, NULL},
    {"open", WITH_KEYWORDS(py_digit_socket_open)},
    {"close", WITH_KEYWORDS(py_digit_socket_close)},
    {"receive", py_digit_socket_receive, METH_NOARGS, NULL},
    {"take_digits", WITH_KEYWORDS(py_digit_socket_take_digits)},
    {"counters", py_digit_socket_counters, METH_NOARGS, NULL},
    NOT_PICKLED,
    {NULL, NULL, 0, NULL},
};
static PyType_Slot digit_socket_slots[] = {
    {Py_tp_doc, "The socket on which rtpengine servers report keys."},
    {Py_tp_new, py_digit_socket_new},
    {Py_tp_dealloc, py_digit_socket_dealloc},
    {Py_tp_methods, digit_socket_methods},
    {0, NULL},
};
PyType_Spec digit_socket_spec = {"media._core.Feed", sizeof(Feed), 0, Py_TPFLAGS_DEFAULT, digit_socket_slots};
