/* Relay for Python: each method is a command, run without the GIL (see _core.pyi). */
#include "dtmf/sip_info.h"
#include "python/arguments.h"
#include "python/python.h"
#include "python/relay_figures.h"
#include "python/relay_object.h"
#include "python/relay_opening.h"
#include "python/relay_playing.h"
#include "relay/relay_api.h"
#include "rtp/source.h"

#include <string.h>

static PyObject *py_relay_set_peer(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "leg", "address", "port", "rtcp_address", "rtcp_port", "latch", NULL};
    struct command command = {.kind = COMMAND_SET_PEER};
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
        return PyErr_Format(PyExc_ValueError,
                            "address and port of RTP: expected a numeric address and 0 to 65535");
    if (command.has_rtcp && !source_parse(rtcp_address, rtcp_port, &command.rtcp))
        return PyErr_Format(PyExc_ValueError,
                            "address and port of RTCP: expected a numeric address and 0 to 65535");
    return py_relay_run_or_null(self, &command);
}

static PyObject *py_relay_set_crypto(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "leg", "suite", "peer_key", "our_key", NULL};
    struct command command = {.kind = COMMAND_SET_CRYPTO};
    struct crypto_keys *keys = &command.keys;
    long long stream;
    Py_ssize_t in, out;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Lizy#y#", names, &stream, &command.leg, &keys->suite,
                                     &keys->in, &in, &keys->out, &out))
        return NULL;
    command.stream = stream;
    keys->in_length = (size_t)in;
    keys->out_length = (size_t)out;
    if (command.leg != CALLER && command.leg != AGENT)
        return PyErr_Format(PyExc_ValueError, "leg must be CALLER or AGENT");
    return py_relay_run_or_null(self, &command);
}

static PyObject *py_relay_set_types(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {
        "stream",  "events", "audio", "mu",    "a",            "opaque",
        "decoded", "red",    "g722",  "clock", "drops_events", "drops_agent_events",
        NULL};
    struct command command = {.kind = COMMAND_SET_TYPES, .clock = 8000};
    long long stream;
    int drops_events = false, drops_agent_events = false;
    Py_buffer given[TYPE_KINDS] = {0};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Ly*y*|y*y*y*y*y*y*ipp", names, &stream,
                                     &given[TYPE_EVENT], &given[TYPE_AUDIO], &given[TYPE_MU], &given[TYPE_A],
                                     &given[TYPE_OPAQUE], &given[TYPE_DECODED], &given[TYPE_RED],
                                     &given[TYPE_G722], &command.clock, &drops_events, &drops_agent_events))
        return NULL;
    command.stream = stream;
    command.drops_events[AGENT] = drops_events;
    command.drops_events[CALLER] = drops_agent_events;
    if (command.clock < 0 || command.clock > CLOCK_MAX)
        command.clock = 0;
    PyObject *result = py_read_types(given, command.types) ? py_relay_run_or_null(self, &command) : NULL;
    py_release_types(given);
    return result;
}

static PyObject *py_relay_set_decoder(PyObject *self, PyObject *fd) {
    struct command command = {.kind = COMMAND_SET_DECODER};
    long number = PyLong_AsLong(fd);
    if (number == -1 && PyErr_Occurred())
        return NULL;
    command.fds[0] = (int)number;
    return py_relay_run_or_null(self, &command);
}

static PyObject *py_relay_has_decoder(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    struct command command = {.kind = COMMAND_HAS_DECODER};
    return py_relay_run(self, &command) ? PyBool_FromLong(command.result) : NULL;
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
    return py_relay_run_or_null(self, &command);
}

static PyObject *py_relay_set_mask(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "on", "policy", "guard", "tones", "placeholder", NULL};
    struct command command = {.kind = COMMAND_SET_MASK};
    long long stream;
    int on, policy = POLICY_MASK, guard = GUARD, tones = false, placeholder = false;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Lp|iipp", names, &stream, &on, &policy, &guard, &tones,
                                     &placeholder))
        return NULL;
    if (!py_read_options(policy, guard, tones, placeholder, &command.options))
        return NULL;
    command.stream = stream;
    command.on = on;
    return py_relay_run_or_null(self, &command);
}

static PyObject *py_relay_is_quiet(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "quiet_ms", NULL};
    struct command command = {.kind = COMMAND_IS_QUIET};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Li", names, &stream, &command.quiet_ms))
        return NULL;
    command.stream = stream;
    return py_relay_run(self, &command) ? PyBool_FromLong(command.result) : NULL;
}

static PyObject *py_relay_set_capture(PyObject *self, PyObject *args, PyObject *kwargs) {
    return switch_stream(self, args, kwargs, COMMAND_SET_CAPTURE);
}

static PyObject *py_relay_set_slow(PyObject *self, PyObject *args, PyObject *kwargs) {
    return switch_stream(self, args, kwargs, COMMAND_SET_SLOW);
}

static PyObject *py_relay_key_figures(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", NULL};
    struct command command = {.kind = COMMAND_KEY_FIGURES};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "L", names, &stream))
        return NULL;
    command.stream = stream;
    return py_relay_run(self, &command) ? py_key_figures(&command.figures, command.doubled) : NULL;
}

static PyObject *py_relay_tally(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", NULL};
    struct command command = {.kind = COMMAND_TALLY};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "L", names, &stream))
        return NULL;
    command.stream = stream;
    return py_relay_run(self, &command) ? py_tally(&command.tally) : NULL;
}

static PyObject *py_relay_send_key(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "body", "payload_type", "clock", NULL};
    struct command command = {.kind = COMMAND_SEND_KEY};
    long long stream;
    Py_buffer body;
    int type;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Ly*ii", names, &stream, &body, &type, &command.key.clock))
        return NULL;
    command.stream = stream;
    bool is_key = py_read_key(&body, type, &command.key);
    PyBuffer_Release(&body);
    PyObject *result = is_key && py_relay_run(self, &command) ? PyBool_FromLong(command.result) : NULL;
    explicit_bzero(&command, sizeof command);
    return result;
}

static PyObject *py_relay_take_digits(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct command command = {.kind = COMMAND_TAKE_DIGITS};
    long long stream;
    if (!py_read_digits_place(args, kwargs, &stream, &command.into, &command.room))
        return NULL;
    command.stream = stream;
    return py_relay_run(self, &command) ? PyLong_FromLong(command.result) : NULL;
}

static PyObject *py_relay_set_agent_keys(PyObject *self, PyObject *args, PyObject *kwargs) {
    return switch_stream(self, args, kwargs, COMMAND_SET_AGENT_KEYS);
}

static PyObject *py_relay_agent_key(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "body", NULL};
    struct command command = {.kind = COMMAND_AGENT_KEY};
    long long stream;
    Py_buffer body;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Ly*", names, &stream, &body))
        return NULL;
    command.stream = stream;
    int code = sip_info_key(body.buf, (size_t)body.len);
    PyBuffer_Release(&body);
    if (code < 0)
        return PyErr_Format(PyExc_ValueError, "no key can be read from this body");
    command.key.code = (uint8_t)code;
    PyObject *result = py_relay_run(self, &command) ? PyBool_FromLong(command.result) : NULL;
    explicit_bzero(&command, sizeof command);
    return result;
}

static PyObject *py_relay_take_code(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", NULL};
    struct command command = {.kind = COMMAND_TAKE_CODE};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "L", names, &stream))
        return NULL;
    command.stream = stream;
    PyObject *code = py_relay_run(self, &command)
                         ? PyUnicode_FromStringAndSize((const char *)command.code, command.result)
                         : NULL;
    explicit_bzero(&command, sizeof command);
    return code;
}

static PyObject *count_stream(PyObject *self, PyObject *args, PyObject *kwargs, enum command_kind kind) {
    static char *names[] = {"stream", NULL};
    struct command command = {.kind = kind};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "L", names, &stream))
        return NULL;
    command.stream = stream;
    if (!py_relay_run(self, &command))
        return NULL;
    return py_counters(command.counters);
}

static PyObject *py_relay_counters(PyObject *self, PyObject *args, PyObject *kwargs) {
    return count_stream(self, args, kwargs, COMMAND_COUNTERS);
}

static PyObject *py_relay_arrived(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", NULL};
    struct arrived arrived[2];
    struct command command = {.kind = COMMAND_ARRIVED, .arrived = arrived};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "L", names, &stream))
        return NULL;
    command.stream = stream;
    if (!py_relay_run(self, &command))
        return NULL;
    PyObject *caller = py_arrived(&arrived[CALLER]), *agent = py_arrived(&arrived[AGENT]);
    PyObject *both = caller == NULL || agent == NULL ? NULL : PyTuple_Pack(2, caller, agent);
    Py_XDECREF(caller);
    Py_XDECREF(agent);
    return both;
}

static PyObject *py_relay_set_tap(PyObject *self, PyObject *args, PyObject *kwargs) {
    return switch_stream(self, args, kwargs, COMMAND_SET_TAP);
}

static PyObject *py_relay_read_tap(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", NULL};
    struct command command = {.kind = COMMAND_READ_TAP};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "L", names, &stream))
        return NULL;
    command.stream = stream;
    command.records = PyMem_Malloc(TAP_RECORDS * sizeof *command.records);
    if (command.records == NULL)
        return PyErr_NoMemory();
    PyObject *result = NULL;
    if (py_relay_run(self, &command))
        result = Py_BuildValue("(y#K)", (const char *)command.records,
                               (Py_ssize_t)((size_t)command.result * sizeof *command.records),
                               (unsigned long long)command.dropped);
    PyMem_Free(command.records);
    return result;
}

static PyObject *py_relay_close_stream(PyObject *self, PyObject *args, PyObject *kwargs) {
    return count_stream(self, args, kwargs, COMMAND_CLOSE_STREAM);
}

static PyMethodDef relay_methods[] = {
    {"start", WITH_KEYWORDS(py_relay_start)},
    {"set_realtime", py_relay_set_realtime, METH_NOARGS, NULL},
    {"stop", py_relay_stop, METH_NOARGS, NULL},
    {"fileno", py_relay_fileno, METH_NOARGS, NULL},
    {"open_stream", WITH_KEYWORDS(py_relay_open_stream)},
    {"adopt_stream", WITH_KEYWORDS(py_relay_adopt_stream)},
    {"resume_stream", WITH_KEYWORDS(py_relay_resume_stream)},
    {"set_peer", WITH_KEYWORDS(py_relay_set_peer)},
    {"set_crypto", WITH_KEYWORDS(py_relay_set_crypto)},
    {"set_types", WITH_KEYWORDS(py_relay_set_types)},
    {"set_mask", WITH_KEYWORDS(py_relay_set_mask)},
    {"is_quiet", WITH_KEYWORDS(py_relay_is_quiet)},
    {"set_capture", WITH_KEYWORDS(py_relay_set_capture)},
    {"set_slow", WITH_KEYWORDS(py_relay_set_slow)},
    {"key_figures", WITH_KEYWORDS(py_relay_key_figures)},
    {"tally", WITH_KEYWORDS(py_relay_tally)},
    {"set_decoder", py_relay_set_decoder, METH_O, NULL},
    {"has_decoder", py_relay_has_decoder, METH_NOARGS, NULL},
    {"send_key", WITH_KEYWORDS(py_relay_send_key)},
    {"play", WITH_KEYWORDS(py_relay_play)},
    {"stop_play", WITH_KEYWORDS(py_relay_stop_play)},
    {"played", WITH_KEYWORDS(py_relay_played)},
    {"barge_in", WITH_KEYWORDS(py_relay_barge_in)},
    {"departed_type", WITH_KEYWORDS(py_relay_departed_type)},
    {"take_digits", WITH_KEYWORDS(py_relay_take_digits)},
    {"set_agent_keys", WITH_KEYWORDS(py_relay_set_agent_keys)},
    {"agent_key", WITH_KEYWORDS(py_relay_agent_key)},
    {"take_code", WITH_KEYWORDS(py_relay_take_code)},
    {"take_events", py_relay_take_events, METH_NOARGS, NULL},
    {"counters", WITH_KEYWORDS(py_relay_counters)},
    {"arrived", WITH_KEYWORDS(py_relay_arrived)},
    {"set_tap", WITH_KEYWORDS(py_relay_set_tap)},
    {"read_tap", WITH_KEYWORDS(py_relay_read_tap)},
    {"close_stream", WITH_KEYWORDS(py_relay_close_stream)},
    NOT_PICKLED,
    {NULL, NULL, 0, NULL},
};
static PyType_Slot relay_slots[] = {
    {Py_tp_doc, "One epoll thread and its streams."},
    {Py_tp_new, py_relay_new},
    {Py_tp_dealloc, py_relay_dealloc},
    {Py_tp_methods, relay_methods},
    {0, NULL},
};
PyType_Spec relay_spec = {"media._core.Relay", sizeof(Relay), 0, Py_TPFLAGS_DEFAULT, relay_slots};
