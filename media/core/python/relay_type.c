/* Relay for Python: each method is a command, run without the GIL (see _core.pyi). */
#include "python/python.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    PyObject_HEAD
    struct relay *relay;
    pid_t owner;
} Relay;

static PyObject *relay_new_object(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "", names))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Relay *self = (Relay *)allocate(type, 0);
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

static void relay_dealloc(PyObject *object) {
    Relay *self = (Relay *)object;
    if (self->relay != NULL && self->owner == getpid()) { /* a child has the object, but not the thread */
        Py_BEGIN_ALLOW_THREADS
        relay_free(self->relay);
        Py_END_ALLOW_THREADS
    }
    free_object(object);
}

/* Run the command without the GIL. Returns false with an exception set. */
static bool run_command(PyObject *object, struct command *command) {
    Relay *self = (Relay *)object;
    if (self->owner != getpid()) {
        PyErr_SetString(PyExc_RuntimeError, "the relay belongs to the parent process");
        return false;
    }
    Py_BEGIN_ALLOW_THREADS
    relay_run(self->relay, command);
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

static PyObject *run_or_null(PyObject *self, struct command *command) {
    if (!run_command(self, command))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *none_or_error(int error) {
    if (error == -EALREADY)
        return PyErr_Format(PyExc_RuntimeError, "the relay was started before");
    if (error == -ESHUTDOWN)
        return PyErr_Format(PyExc_RuntimeError, "the relay is not running");
    if (error != 0) {
        errno = -error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

static PyObject *relay_start_method(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"processor", "gather_us", "masked_gather_us", NULL};
    int processor = -1, gather_us = 0, masked_gather_us = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|iii", names, &processor, &gather_us, &masked_gather_us))
        return NULL;
    return none_or_error(relay_start(((Relay *)self)->relay, processor, gather_us, masked_gather_us));
}

static PyObject *relay_go_first_method(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    return none_or_error(relay_go_first(((Relay *)self)->relay));
}

static PyObject *relay_stop_method(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    struct command command = {.kind = STOP};
    if (((Relay *)self)->owner == getpid()) {
        Py_BEGIN_ALLOW_THREADS
        relay_run(((Relay *)self)->relay, &command);
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

static PyObject *relay_fileno_method(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    return PyLong_FromLong(relay_fileno(((Relay *)self)->relay));
}

static PyObject *relay_open_stream(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "caller_rtp", "caller_rtcp", "agent_rtp", "agent_rtcp", NULL};
    struct command command = {.kind = OPEN_STREAM};
    long long stream;
    int *fds = command.fds;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Liiii", names, &stream, &fds[0], &fds[1], &fds[2], &fds[3]))
        return NULL;
    command.stream = stream;
    return run_or_null(self, &command);
}

static PyObject *relay_set_peer(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "leg", "address", "port", "rtcp_address", "rtcp_port", "latch", NULL};
    struct command command = {.kind = SET_PEER};
    long long stream;
    const char *address, *rtcp_address;
    int port, rtcp_port, latch;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Lisisip", names, &stream, &command.leg, &address, &port,
                                     &rtcp_address, &rtcp_port, &latch))
        return NULL;
    command.stream = stream;
    command.on = latch;
    command.has_rtp = port != 0;
    command.has_rtcp = rtcp_port != 0;
    if (command.leg != CALLER && command.leg != AGENT)
        return PyErr_Format(PyExc_ValueError, "leg must be CALLER or AGENT");
    if (command.has_rtp && !source_parse(address, port, &command.rtp))
        return PyErr_Format(PyExc_ValueError, "address and port of RTP: expected a numeric address and 0 to 65535");
    if (command.has_rtcp && !source_parse(rtcp_address, rtcp_port, &command.rtcp))
        return PyErr_Format(PyExc_ValueError, "address and port of RTCP: expected a numeric address and 0 to 65535");
    return run_or_null(self, &command);
}

static PyObject *relay_set_crypto(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "leg", "suite", "peer_key", "our_key", NULL};
    struct command command = {.kind = SET_CRYPTO};
    struct crypto_keys *keys = &command.keys;
    long long stream;
    Py_ssize_t in, out;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Lizy#y#", names, &stream, &command.leg, &keys->suite, &keys->in, &in,
                                     &keys->out, &out))
        return NULL;
    command.stream = stream;
    keys->in_length = (size_t)in;
    keys->out_length = (size_t)out;
    if (command.leg != CALLER && command.leg != AGENT)
        return PyErr_Format(PyExc_ValueError, "leg must be CALLER or AGENT");
    return run_or_null(self, &command);
}

static PyObject *relay_set_types(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "events", "audio", "mu", "a", "opaque", "decoded", "red", "g722", "clock",
                             "drops_events", NULL};
    struct command command = {.kind = SET_TYPES, .clock = 8000};
    long long stream;
    int drops_events = false;
    Py_buffer given[TYPE_KINDS] = {0};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Ly*y*|y*y*y*y*y*y*ip", names, &stream, &given[TYPE_EVENT], &given[TYPE_AUDIO],
                                     &given[TYPE_MU], &given[TYPE_A], &given[TYPE_OPAQUE], &given[TYPE_DECODED],
                                     &given[TYPE_RED], &given[TYPE_G722], &command.clock, &drops_events))
        return NULL;
    command.stream = stream;
    command.on = drops_events;
    if (command.clock < 0 || command.clock > MOST_CLOCK)
        command.clock = 0;
    PyObject *result = take_types(given, command.types) ? run_or_null(self, &command) : NULL;
    release_types(given);
    return result;
}

static PyObject *relay_set_decoder(PyObject *self, PyObject *fd) {
    struct command command = {.kind = SET_DECODER};
    long number = PyLong_AsLong(fd);
    if (number == -1 && PyErr_Occurred())
        return NULL;
    command.fds[0] = (int)number;
    return run_or_null(self, &command);
}

static PyObject *relay_has_decoder(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    struct command command = {.kind = HAS_DECODER};
    return run_command(self, &command) ? PyBool_FromLong(command.result) : NULL;
}

static PyObject *switch_stream(PyObject *self, PyObject *args, PyObject *kwargs, enum command_kind kind) {
    static char *names[] = {"stream", "on", NULL};
    struct command command = {.kind = kind};
    long long stream;
    int on;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Lp", names, &stream, &on))
        return NULL;
    command.stream = stream;
    command.on = on;
    return run_or_null(self, &command);
}

static PyObject *relay_set_mask(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "on", "policy", "guard", "tones", "flat", NULL};
    struct command command = {.kind = SET_MASK};
    long long stream;
    int on, policy = POLICY_MASK, guard = GUARD, tones = false, flat = false;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Lp|iipp", names, &stream, &on, &policy, &guard, &tones, &flat))
        return NULL;
    if (!take_manner(policy, guard, tones, flat, &command.manner))
        return NULL;
    command.stream = stream;
    command.on = on;
    return run_or_null(self, &command);
}

static PyObject *relay_is_quiet(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "quiet_ms", NULL};
    struct command command = {.kind = IS_QUIET};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Li", names, &stream, &command.quiet_ms))
        return NULL;
    command.stream = stream;
    return run_command(self, &command) ? PyBool_FromLong(command.result) : NULL;
}

static PyObject *relay_set_capture(PyObject *self, PyObject *args, PyObject *kwargs) {
    return switch_stream(self, args, kwargs, SET_CAPTURE);
}

static PyObject *relay_send_key(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "body", "payload_type", "clock", NULL};
    struct command command = {.kind = SEND_KEY};
    long long stream;
    Py_buffer body;
    int type;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Ly*ii", names, &stream, &body, &type, &command.key.clock))
        return NULL;
    command.stream = stream;
    bool is_key = take_key(&body, type, &command.key);
    PyBuffer_Release(&body);
    PyObject *result = is_key && run_command(self, &command) ? PyBool_FromLong(command.result) : NULL;
    explicit_bzero(&command, sizeof command);
    return result;
}

static PyObject *relay_take_digits(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct command command = {.kind = TAKE_DIGITS};
    long long stream;
    if (!take_digits_place(args, kwargs, &stream, &command.into, &command.room))
        return NULL;
    command.stream = stream;
    return run_command(self, &command) ? PyLong_FromLong(command.result) : NULL;
}

PyObject *with_events(PyObject *list, const struct event *events, int count) {
    for (int i = 0; i < count && list != NULL; i++) {
        PyObject *item = Py_BuildValue("(Li)", (long long)events[i].stream, events[i].kind);
        if (item == NULL || PyList_Append(list, item) != 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *relay_take_events_method(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    struct event events[64];
    PyObject *list = PyList_New(0);
    int taken;
    do {
        taken = list == NULL ? 0 : relay_take_events(((Relay *)self)->relay, events, 64);
        list = with_events(list, events, taken);
    } while (taken > 0 && list != NULL);
    return list;
}

static PyObject *count_stream(PyObject *self, PyObject *args, PyObject *kwargs, enum command_kind kind) {
    static char *names[] = {"stream", NULL};
    struct command command = {.kind = kind};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "L", names, &stream))
        return NULL;
    command.stream = stream;
    if (!run_command(self, &command))
        return NULL;
    const struct counters *caller = &command.counters[CALLER], *agent = &command.counters[AGENT];
    return Py_BuildValue("{sKsKsKsKsKsKsKsKsKsKsKsKsKsKsKsKsKsKsKsKsKsK}",
        "caller_received", caller->received, "caller_sent", caller->sent, "caller_masked", caller->masked,
        "caller_strangers", caller->strangers, "caller_malformed", caller->malformed,
        "agent_received", agent->received, "agent_sent", agent->sent, "agent_masked", agent->masked,
        "agent_strangers", agent->strangers, "agent_malformed", agent->malformed,
        "caller_reports", caller->reports, "caller_lost", caller->lost, "caller_jitter", caller->jitter,
        "agent_reports", agent->reports, "agent_lost", agent->lost, "agent_jitter", agent->jitter,
        "caller_expected", caller->expected, "caller_missing", caller->missing, "caller_arrival_jitter", caller->arrival_jitter,
        "agent_expected", agent->expected, "agent_missing", agent->missing, "agent_arrival_jitter", agent->arrival_jitter);
}

static PyObject *relay_counters(PyObject *self, PyObject *args, PyObject *kwargs) {
    return count_stream(self, args, kwargs, COUNTERS);
}

/* (unproved, newest stranger as (host, port) or None, {payload type: packets}) */
static PyObject *arrived_of(const struct arrived *arrived) {
    char host[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_storage *from = &arrived->stranger;
    bool is_v6 = from->ss_family == AF_INET6;
    const void *binary = is_v6 ? (const void *)&((const struct sockaddr_in6 *)from)->sin6_addr
                               : (const void *)&((const struct sockaddr_in *)from)->sin_addr;
    int port = ntohs(((const struct sockaddr_in *)from)->sin_port); /* in both at the same place */
    bool named = arrived->has_stranger && inet_ntop(is_v6 ? AF_INET6 : AF_INET, binary, host, sizeof host) != NULL;
    PyObject *types = PyDict_New();
    for (int type = 0; type < PAYLOAD_TYPES && types != NULL; type++) {
        if (arrived->types[type] == 0)
            continue;
        PyObject *key = PyLong_FromLong(type), *count = PyLong_FromUnsignedLongLong(arrived->types[type]);
        if (key == NULL || count == NULL || PyDict_SetItem(types, key, count) != 0)
            Py_CLEAR(types);
        Py_XDECREF(key);
        Py_XDECREF(count);
    }
    if (types == NULL)
        return NULL;
    unsigned long long unproved = arrived->unproved;
    return named ? Py_BuildValue("(K(si)N)", unproved, host, port, types) : Py_BuildValue("(KON)", unproved, Py_None, types);
}

static PyObject *relay_arrived(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", NULL};
    struct arrived arrived[2];
    struct command command = {.kind = ARRIVED, .arrived = arrived};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "L", names, &stream))
        return NULL;
    command.stream = stream;
    if (!run_command(self, &command))
        return NULL;
    PyObject *caller = arrived_of(&arrived[CALLER]), *agent = arrived_of(&arrived[AGENT]);
    PyObject *both = caller == NULL || agent == NULL ? NULL : PyTuple_Pack(2, caller, agent);
    Py_XDECREF(caller);
    Py_XDECREF(agent);
    return both;
}

static PyObject *relay_close_stream(PyObject *self, PyObject *args, PyObject *kwargs) {
    return count_stream(self, args, kwargs, CLOSE_STREAM);
}

static PyMethodDef relay_methods[] = {
    {"start", WITH_KEYWORDS(relay_start_method)},
    {"go_first", relay_go_first_method, METH_NOARGS, NULL},
    {"stop", relay_stop_method, METH_NOARGS, NULL},
    {"fileno", relay_fileno_method, METH_NOARGS, NULL},
    {"open_stream", WITH_KEYWORDS(relay_open_stream)},
    {"set_peer", WITH_KEYWORDS(relay_set_peer)},
    {"set_crypto", WITH_KEYWORDS(relay_set_crypto)},
    {"set_types", WITH_KEYWORDS(relay_set_types)},
    {"set_mask", WITH_KEYWORDS(relay_set_mask)},
    {"is_quiet", WITH_KEYWORDS(relay_is_quiet)},
    {"set_capture", WITH_KEYWORDS(relay_set_capture)},
    {"set_decoder", relay_set_decoder, METH_O, NULL},
    {"has_decoder", relay_has_decoder, METH_NOARGS, NULL},
    {"send_key", WITH_KEYWORDS(relay_send_key)},
    {"take_digits", WITH_KEYWORDS(relay_take_digits)},
    {"take_events", relay_take_events_method, METH_NOARGS, NULL},
    {"counters", WITH_KEYWORDS(relay_counters)},
    {"arrived", WITH_KEYWORDS(relay_arrived)},
    {"close_stream", WITH_KEYWORDS(relay_close_stream)},
    {"__reduce__", refuse_pickle, METH_NOARGS, NULL},
    {"__reduce_ex__", refuse_pickle, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot relay_slots[] = {
    {Py_tp_doc, "One epoll thread and its streams."},
    {Py_tp_new, relay_new_object},
    {Py_tp_dealloc, relay_dealloc},
    {Py_tp_methods, relay_methods},
    {0, NULL},
};
PyType_Spec relay_spec = {"media._core.Relay", sizeof(Relay), 0, Py_TPFLAGS_DEFAULT, relay_slots};
