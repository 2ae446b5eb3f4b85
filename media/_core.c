/* The Python face of the media core: SecretMemory, Relay, Mask (see _core.pyi). Stable ABI of Python 3.11. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static PyTypeObject *secret_type;

static PyObject *refuse_pickle(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    (void)self;
    PyErr_SetString(PyExc_TypeError, "this object cannot be pickled or copied");
    return NULL;
}

static void free_object(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* --- SecretMemory ----------------------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    struct secret secret;
} SecretMemory;

static PyObject *secret_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"size", NULL};
    Py_ssize_t size;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n", names, &size))
        return NULL;
    if (size <= 0)
        return PyErr_Format(PyExc_ValueError, "size must be positive");
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    SecretMemory *self = (SecretMemory *)allocate(type, 0);
    if (self != NULL && !secret_map(&self->secret, (size_t)size)) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void secret_dealloc(PyObject *self) {
    secret_unmap(&((SecretMemory *)self)->secret);
    free_object(self);
}

static bool secret_is_ours(SecretMemory *self, PyObject *error) {
    if (self->secret.owner == (int)getpid())
        return true;
    PyErr_SetString(error, "secret memory is not inherited by a child process");
    return false;
}

static int secret_getbuffer(PyObject *object, Py_buffer *view, int flags) {
    SecretMemory *self = (SecretMemory *)object;
    if (!secret_is_ours(self, PyExc_BufferError)) {
        view->obj = NULL;
        return -1;
    }
    return PyBuffer_FillInfo(view, object, self->secret.bytes, (Py_ssize_t)self->secret.size, 0, flags);
}

static Py_ssize_t secret_len(PyObject *self) { return (Py_ssize_t)((SecretMemory *)self)->secret.size; }

static PyObject *secret_repr(PyObject *self) {
    return PyUnicode_FromFormat("<SecretMemory of %zd bytes>", secret_len(self));
}

static PyObject *secret_kind(PyObject *self, void *Py_UNUSED(closure)) {
    return PyUnicode_FromString(((SecretMemory *)self)->secret.kind);
}

static PyObject *secret_wipe_method(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    secret_wipe(&((SecretMemory *)self)->secret);
    Py_RETURN_NONE;
}

static PyMethodDef secret_methods[] = {
    {"wipe", secret_wipe_method, METH_NOARGS, NULL},
    {"__reduce__", refuse_pickle, METH_NOARGS, NULL},
    {"__reduce_ex__", refuse_pickle, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef secret_getset[] = {{"kind", secret_kind, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot secret_slots[] = {
    {Py_tp_doc, "Locked memory that is wiped when it is freed."},
    {Py_tp_new, secret_new},
    {Py_tp_dealloc, secret_dealloc},
    {Py_tp_repr, secret_repr},
    {Py_tp_methods, secret_methods},
    {Py_tp_getset, secret_getset},
    {Py_sq_length, secret_len},
    {Py_bf_getbuffer, secret_getbuffer},
    {0, NULL},
};
static PyType_Spec secret_spec = {
    "media._core.SecretMemory", sizeof(SecretMemory), 0, Py_TPFLAGS_DEFAULT, secret_slots};

/* --- Relay -------------------------------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    struct relay *relay;
    pid_t owner;
} Relay;

static PyObject *relay_new_object(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"quiet_after", NULL};
    double quiet_after = 0.0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|d", names, &quiet_after))
        return NULL;
    if (!(quiet_after >= 0.0 && quiet_after < 1e9))
        return PyErr_Format(PyExc_ValueError, "quiet_after must be seconds, 0 or more");
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Relay *self = (Relay *)allocate(type, 0);
    if (self == NULL)
        return NULL;
    self->owner = getpid();
    self->relay = relay_new(quiet_after);
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

static PyObject *relay_start_method(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    int error = relay_start(((Relay *)self)->relay);
    if (error == -EALREADY)
        return PyErr_Format(PyExc_RuntimeError, "the relay was started before");
    if (error != 0) {
        errno = -error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
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

static bool are_types(Py_buffer *types) {
    for (Py_ssize_t i = 0; i < types->len; i++)
        if (((const uint8_t *)types->buf)[i] > 127) {
            PyErr_SetString(PyExc_ValueError, "a payload type is 0 to 127");
            return false;
        }
    return true;
}

static PyObject *relay_set_types(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "events", "audio", NULL};
    struct command command = {.kind = SET_TYPES};
    long long stream;
    Py_buffer events, audio;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Ly*y*", names, &stream, &events, &audio))
        return NULL;
    command.stream = stream;
    command.events = events.buf;
    command.event_count = (size_t)events.len;
    command.audio = audio.buf;
    command.audio_count = (size_t)audio.len;
    PyObject *result = are_types(&events) && are_types(&audio) ? run_or_null(self, &command) : NULL;
    PyBuffer_Release(&events);
    PyBuffer_Release(&audio);
    return result;
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
    return switch_stream(self, args, kwargs, SET_MASK);
}

static PyObject *relay_set_capture(PyObject *self, PyObject *args, PyObject *kwargs) {
    return switch_stream(self, args, kwargs, SET_CAPTURE);
}

static PyObject *relay_take_digits(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "into", "offset", NULL};
    struct command command = {.kind = TAKE_DIGITS};
    long long stream;
    PyObject *into;
    Py_ssize_t offset;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "LO!n", names, &stream, secret_type, &into, &offset))
        return NULL;
    SecretMemory *memory = (SecretMemory *)into;
    if (!secret_is_ours(memory, PyExc_RuntimeError))
        return NULL;
    if (offset < 0 || (size_t)offset > memory->secret.size)
        return PyErr_Format(PyExc_ValueError, "offset lies outside the memory");
    command.stream = stream;
    command.into = memory->secret.bytes + offset;
    command.room = memory->secret.size - (size_t)offset;
    return run_command(self, &command) ? PyLong_FromLong(command.result) : NULL;
}

static PyObject *relay_take_events_method(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    struct event events[64];
    PyObject *list = PyList_New(0);
    int taken;
    do {
        taken = list == NULL ? 0 : relay_take_events(((Relay *)self)->relay, events, 64);
        for (int i = 0; i < taken && list != NULL; i++) {
            PyObject *item = Py_BuildValue("(Lii)", (long long)events[i].stream, events[i].kind, events[i].count);
            if (item == NULL || PyList_Append(list, item) != 0)
                Py_CLEAR(list);
            Py_XDECREF(item);
        }
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
    return Py_BuildValue("{sKsKsKsKsKsKsKsKsKsK}",
        "caller_received", caller->received, "caller_sent", caller->sent, "caller_masked", caller->masked,
        "caller_strangers", caller->strangers, "caller_malformed", caller->malformed,
        "agent_received", agent->received, "agent_sent", agent->sent, "agent_masked", agent->masked,
        "agent_strangers", agent->strangers, "agent_malformed", agent->malformed);
}

static PyObject *relay_counters(PyObject *self, PyObject *args, PyObject *kwargs) {
    return count_stream(self, args, kwargs, COUNTERS);
}

static PyObject *relay_close_stream(PyObject *self, PyObject *args, PyObject *kwargs) {
    return count_stream(self, args, kwargs, CLOSE_STREAM);
}

#define WITH_KEYWORDS(function) ((PyCFunction)(void (*)(void))(function)), METH_VARARGS | METH_KEYWORDS, NULL
static PyMethodDef relay_methods[] = {
    {"start", relay_start_method, METH_NOARGS, NULL},
    {"stop", relay_stop_method, METH_NOARGS, NULL},
    {"fileno", relay_fileno_method, METH_NOARGS, NULL},
    {"open_stream", WITH_KEYWORDS(relay_open_stream)},
    {"set_peer", WITH_KEYWORDS(relay_set_peer)},
    {"set_types", WITH_KEYWORDS(relay_set_types)},
    {"set_mask", WITH_KEYWORDS(relay_set_mask)},
    {"set_capture", WITH_KEYWORDS(relay_set_capture)},
    {"take_digits", WITH_KEYWORDS(relay_take_digits)},
    {"take_events", relay_take_events_method, METH_NOARGS, NULL},
    {"counters", WITH_KEYWORDS(relay_counters)},
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
static PyType_Spec relay_spec = {"media._core.Relay", sizeof(Relay), 0, Py_TPFLAGS_DEFAULT, relay_slots};

/* --- Mask ------------------------------------------------------------------------------------------------------------------ */

typedef struct {
    PyObject_HEAD
    struct mask mask;
    struct secret keys;
} Mask;

static PyObject *mask_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"events", "audio", NULL};
    Py_buffer events, audio;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*y*", names, &events, &audio))
        return NULL;
    Mask *self = NULL;
    if (are_types(&events) && are_types(&audio)) {
        allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
        self = (Mask *)allocate(type, 0);
        if (self != NULL && !secret_map(&self->keys, sizeof(struct keys))) {
            PyErr_SetFromErrno(PyExc_OSError);
            Py_CLEAR(self);
        }
        if (self != NULL)
            mask_types(&self->mask, events.buf, (size_t)events.len, audio.buf, (size_t)audio.len);
    }
    PyBuffer_Release(&events);
    PyBuffer_Release(&audio);
    return (PyObject *)self;
}

static void mask_dealloc(PyObject *self) {
    secret_unmap(&((Mask *)self)->keys);
    free_object(self);
}

static PyObject *mask_set_mask(PyObject *self, PyObject *on) {
    int truth = PyObject_IsTrue(on);
    if (truth < 0)
        return NULL;
    ((Mask *)self)->mask.on = truth;
    Py_RETURN_NONE;
}

static PyObject *mask_rtp_method(PyObject *object, PyObject *args) {
    Mask *self = (Mask *)object;
    Py_buffer packet;
    long long now_ms;
    if (!PyArg_ParseTuple(args, "y*L", &packet, &now_ms))
        return NULL;
    uint8_t *copy = malloc(packet.len > 0 ? (size_t)packet.len : 1);
    PyObject *result = NULL;
    if (copy == NULL) {
        PyErr_NoMemory();
    } else {
        memcpy(copy, packet.buf, (size_t)packet.len);
        struct decision decision = mask_rtp(&self->mask, copy, (size_t)packet.len, now_ms);
        bool kept = decision.key == KEY_NONE || keys_put((struct keys *)self->keys.bytes, decision.key, decision.ssrc,
                                                         decision.timestamp, now_ms);
        if (!kept)
            PyErr_SetString(PyExc_OverflowError, "more keys wait than there is room for");
        else if (decision.verdict == FORWARD)
            result = Py_BuildValue("(y#i)", decision.bytes, (Py_ssize_t)decision.length, decision.key);
        else
            result = Py_BuildValue("(Oi)", Py_None, decision.key);
        explicit_bzero(copy, (size_t)packet.len);
        free(copy);
    }
    PyBuffer_Release(&packet);
    return result;
}

static PyObject *mask_rtcp_method(PyObject *object, PyObject *packet) {
    Py_buffer view;
    if (PyObject_GetBuffer(packet, &view, PyBUF_SIMPLE) != 0)
        return NULL;
    enum verdict verdict = mask_rtcp(&((Mask *)object)->mask, view.buf, (size_t)view.len);
    PyObject *result = verdict == FORWARD ? PyBytes_FromStringAndSize(view.buf, view.len) : Py_NewRef(Py_None);
    PyBuffer_Release(&view);
    return result;
}

static PyObject *mask_take(PyObject *object, PyObject *now) {
    long long now_ms = PyLong_AsLongLong(now);
    if (now_ms == -1 && PyErr_Occurred())
        return NULL;
    uint8_t taken[KEYS];
    int count = keys_take((struct keys *)((Mask *)object)->keys.bytes, now_ms, taken, KEYS);
    PyObject *result = PyBytes_FromStringAndSize((const char *)taken, count);
    explicit_bzero(taken, sizeof taken);
    return result;
}

static PyMethodDef mask_methods[] = {
    {"set_mask", mask_set_mask, METH_O, NULL},
    {"rtp", mask_rtp_method, METH_VARARGS, NULL},
    {"rtcp", mask_rtcp_method, METH_O, NULL},
    {"take", mask_take, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot mask_slots[] = {
    {Py_tp_doc, "The decisions for one direction, for tests."},
    {Py_tp_new, mask_new},
    {Py_tp_dealloc, mask_dealloc},
    {Py_tp_methods, mask_methods},
    {0, NULL},
};
static PyType_Spec mask_spec = {"media._core.Mask", sizeof(Mask), 0, Py_TPFLAGS_DEFAULT, mask_slots};

/* --- the module ----------------------------------------------------------------------------------------------------------- */

static struct PyModuleDef module = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "media._core", .m_doc = "The media core.", .m_size = -1};

static int add_type(PyObject *core, PyType_Spec *spec, PyTypeObject **kept) {
    PyObject *type = PyType_FromSpec(spec);
    if (type == NULL)
        return -1;
    if (kept != NULL)
        *kept = (PyTypeObject *)Py_NewRef(type);
    int failed = PyModule_AddType(core, (PyTypeObject *)type);
    Py_DECREF(type);
    return failed;
}

PyMODINIT_FUNC PyInit__core(void) {
    PyObject *core = PyModule_Create(&module);
    if (core == NULL)
        return NULL;
    if (add_type(core, &secret_spec, &secret_type) != 0 || add_type(core, &relay_spec, NULL) != 0 ||
        add_type(core, &mask_spec, NULL) != 0 || PyModule_AddIntConstant(core, "CALLER", CALLER) != 0 ||
        PyModule_AddIntConstant(core, "AGENT", AGENT) != 0 || PyModule_AddIntConstant(core, "KEYED", KEYED) != 0 ||
        PyModule_AddIntConstant(core, "QUIET", QUIET) != 0 || PyModule_AddIntConstant(core, "OVERFLOW", OVERFLOW) != 0) {
        Py_DECREF(core);
        return NULL;
    }
    return core;
}
