/* Mask for Python's tests: the decisions of mask/mask.c and its neighbours without sockets. */
#include "mask/hold_output.h"
#include "mask/mask.h"
#include "memory/secret.h"
#include "python/arguments.h"
#include "python/python.h"
#include "python/relay_figures.h"
#include "rtp/rtcp.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    PyObject_HEAD
    struct mask mask;
    struct secret keys, hold;
    PyObject *asked; /* a list */
} Mask;

static PyObject *py_mask_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"events", "audio", "mu",           "a", "opaque", "decoded",
                            "red",    "g722",  "drops_events", NULL};
    int drops_events = false;
    Py_buffer given[TYPE_KINDS] = {0};
    struct type_list lists[TYPE_KINDS];
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*y*|y*y*y*y*y*y*p", names, &given[TYPE_EVENT],
                                     &given[TYPE_AUDIO], &given[TYPE_MU], &given[TYPE_A], &given[TYPE_OPAQUE],
                                     &given[TYPE_DECODED], &given[TYPE_RED], &given[TYPE_G722],
                                     &drops_events))
        return NULL;
    Mask *self = NULL;
    if (py_read_types(given, lists)) {
        self = py_allocate(type);
        if (self != NULL && (!secret_map(&self->keys, sizeof(struct keys)) ||
                             !secret_map(&self->hold, sizeof(struct hold)))) {
            PyErr_SetFromErrno(PyExc_OSError);
            Py_CLEAR(self);
        }
        if (self != NULL && (self->asked = PyList_New(0)) == NULL)
            Py_CLEAR(self);
        if (self != NULL) {
            payload_types_set(&self->mask.types, lists);
            self->mask.drops_events = drops_events;
            self->mask.presses.codes = ((struct keys *)self->keys.bytes)->codes;
        }
    }
    py_release_types(given);
    return (PyObject *)self;
}

static void py_mask_dealloc(PyObject *self) {
    secret_unmap(&((Mask *)self)->keys);
    secret_unmap(&((Mask *)self)->hold);
    Py_XDECREF(((Mask *)self)->asked);
    py_free_object(self);
}

static bool append_packet(PyObject *list, const uint8_t *bytes, size_t length) {
    PyObject *packet = PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)length);
    bool appended = packet != NULL && PyList_Append(list, packet) == 0;
    Py_XDECREF(packet);
    return appended;
}

/* The packets that leave, as a list. */
static PyObject *release_held(Mask *self, bool all_of_it) {
    uint8_t out[HOLD_PACKET];
    PyObject *left = PyList_New(0);
    for (size_t length; left != NULL && self->mask.hold != NULL &&
                        (length = hold_next(self->mask.hold, all_of_it, out)) > 0;)
        if (!append_packet(left, out, length))
            Py_CLEAR(left);
    return left;
}

static PyObject *py_mask_switch(PyObject *object, PyObject *args) {
    Mask *self = (Mask *)object;
    int on, policy = POLICY_MASK, guard = GUARD, tones = false, placeholder = false;
    struct mask_options options;
    if (!PyArg_ParseTuple(args, "p|iipp", &on, &policy, &guard, &tones, &placeholder) ||
        !py_read_options(policy, guard, tones, placeholder, &options))
        return NULL;
    if (self->mask.hold != NULL)
        hold_end(self->mask.hold);
    PyObject *left = release_held(self, true);
    self->mask.on = on;
    self->mask.keyed = self->mask.keyed && on;
    self->mask.event_presses = on ? self->mask.event_presses : 0;
    self->mask.hold = on ? (struct hold *)self->hold.bytes : NULL;
    if (on) {
        hold_begin(self->mask.hold, &options);
        self->mask.gap = (struct gap){0};
        event_sender_forget(&self->mask.sender);
    }
    return left;
}

static PyObject *py_mask_released(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    return release_held((Mask *)self, false);
}

/* Appends packets that fill a gap, and the packet that the decoder process is to be asked about. */
static bool append_asked(Mask *self, struct decision *decision) {
    uint8_t out[QUEUE_PACKET];
    bool kept = true;
    for (size_t length; kept && (length = gap_next_filling(&decision->filling, out)) > 0;)
        kept = append_packet(self->asked, out, length);
    return kept && (decision->verdict != VERDICT_ASK ||
                    append_packet(self->asked, decision->bytes, decision->length));
}

static PyObject *py_mask_asked(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    PyObject *empty = PyList_New(0), *asked = ((Mask *)self)->asked;
    if (empty == NULL)
        return NULL;
    ((Mask *)self)->asked = empty;
    return asked;
}

static PyObject *py_mask_idle(PyObject *object, PyObject *now) {
    Mask *self = (Mask *)object;
    long long now_ms = PyLong_AsLongLong(now);
    if (now_ms == -1 && PyErr_Occurred())
        return NULL;
    bool is_due = self->mask.hold != NULL && now_ms >= hold_due_ms(self->mask.hold);
    if (!is_due)
        return PyList_New(0);
    hold_end(self->mask.hold);
    return release_held(self, true);
}

static PyObject *py_mask_is_quiet(PyObject *object, PyObject *args) {
    long long now_ms, quiet_ms;
    if (!PyArg_ParseTuple(args, "LL", &now_ms, &quiet_ms))
        return NULL;
    return PyBool_FromLong(mask_is_quiet(&((Mask *)object)->mask, now_ms, quiet_ms));
}

static PyObject *py_mask_send_key(PyObject *object, PyObject *args) {
    Py_buffer body;
    struct outgoing_key key = {0};
    int type;
    unsigned int own;
    long long now_ms;
    if (!PyArg_ParseTuple(args, "y*iiIL", &body, &type, &key.clock, &own, &now_ms))
        return NULL;
    bool is_key = py_read_key(&body, type, &key);
    PyBuffer_Release(&body);
    return is_key ? PyBool_FromLong(mask_send_key(&((Mask *)object)->mask, &key, own, now_ms)) : NULL;
}

static PyObject *py_mask_sent(PyObject *object, PyObject *now) {
    long long now_ms = PyLong_AsLongLong(now);
    if (now_ms == -1 && PyErr_Occurred())
        return NULL;
    uint8_t out[EVENT_PACKET];
    PyObject *left = PyList_New(0);
    for (size_t length; left != NULL && (length = mask_next_sent(&((Mask *)object)->mask, now_ms, out)) > 0;)
        if (!append_packet(left, out, length))
            Py_CLEAR(left);
    return left;
}

static PyObject *py_mask_rtp(PyObject *object, PyObject *args) {
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
        struct decision decision;
        struct rtp rtp;
        bool is_rtp = rtp_parse(copy, (size_t)packet.len, &rtp);
        mask_rtp(&self->mask, copy, (size_t)packet.len, is_rtp ? &rtp : NULL, now_ms, &decision);
        uint8_t codes[KEYS + 1];
        bool kept = true;
        for (int i = 0; i < decision.count; i++) {
            codes[i] = decision.pressed[i].code;
            kept = kept && keys_put((struct keys *)self->keys.bytes, codes[i], decision.ssrc,
                                    decision.pressed[i].timestamp, now_ms);
        }
        if (!kept)
            PyErr_SetString(PyExc_OverflowError, "a key has no room, or nobody can tell it");
        else if (append_asked(self, &decision))
            result = Py_BuildValue("(y#y#)", decision.verdict == VERDICT_FORWARD ? decision.bytes : NULL,
                                   (Py_ssize_t)decision.length, codes, (Py_ssize_t)decision.count);
        explicit_bzero(codes, sizeof codes);
        explicit_bzero(&decision, sizeof decision);
        explicit_bzero(copy, (size_t)packet.len);
        free(copy);
    }
    PyBuffer_Release(&packet);
    return result;
}

static PyObject *decide_rtcp(PyObject *packet,
                             void (*decide)(const struct mask *, uint8_t *, size_t, struct decision *),
                             const struct mask *mask) {
    Py_buffer view;
    if (PyObject_GetBuffer(packet, &view, PyBUF_SIMPLE) != 0)
        return NULL;
    uint8_t *copy = malloc(view.len > 0 ? (size_t)view.len : 1);
    PyObject *result = NULL;
    if (copy == NULL) {
        PyErr_NoMemory();
    } else {
        memcpy(copy, view.buf, (size_t)view.len);
        struct decision decision;
        decide(mask, copy, (size_t)view.len, &decision);
        result = decision.verdict == VERDICT_FORWARD
                     ? PyBytes_FromStringAndSize((const char *)decision.bytes, (Py_ssize_t)decision.length)
                     : Py_NewRef(Py_None);
        free(copy);
    }
    PyBuffer_Release(&view);
    return result;
}

static PyObject *py_mask_rtcp(PyObject *self, PyObject *packet) {
    return decide_rtcp(packet, mask_caller_rtcp, &((Mask *)self)->mask);
}

static PyObject *py_mask_rtcp_back(PyObject *self, PyObject *packet) {
    return decide_rtcp(packet, mask_agent_rtcp, &((Mask *)self)->mask);
}

static PyObject *py_mask_reception(PyObject *Py_UNUSED(object), PyObject *packet) {
    Py_buffer view;
    if (PyObject_GetBuffer(packet, &view, PyBUF_SIMPLE) != 0)
        return NULL;
    uint64_t lost, jitter;
    bool is_reported = rtcp_reception(view.buf, (size_t)view.len, &lost, &jitter);
    PyBuffer_Release(&view);
    return is_reported ? Py_BuildValue("(KK)", (unsigned long long)lost, (unsigned long long)jitter)
                       : Py_NewRef(Py_None);
}

static PyObject *py_mask_take_ripe(PyObject *object, PyObject *now) {
    long long now_ms = PyLong_AsLongLong(now);
    if (now_ms == -1 && PyErr_Occurred())
        return NULL;
    uint8_t digits[KEYS];
    int count = keys_take((struct keys *)((Mask *)object)->keys.bytes, now_ms, digits, KEYS);
    PyObject *result = PyBytes_FromStringAndSize((const char *)digits, count);
    explicit_bzero(digits, sizeof digits);
    return result;
}

static PyObject *py_mask_slow(PyObject *object, PyObject *on) {
    int is_on = PyObject_IsTrue(on);
    if (is_on < 0)
        return NULL;
    ((struct keys *)((Mask *)object)->keys.bytes)->slow = is_on;
    Py_RETURN_NONE;
}

static PyObject *py_mask_key_figures(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    Mask *self = (Mask *)object;
    struct key_figures figures = mask_key_figures(&self->mask);
    return py_key_figures(&figures, ((struct keys *)self->keys.bytes)->doubled.found);
}

static PyMethodDef mask_methods[] = {
    {"switch", py_mask_switch, METH_VARARGS, NULL},
    {"released", py_mask_released, METH_NOARGS, NULL},
    {"asked", py_mask_asked, METH_NOARGS, NULL},
    {"idle", py_mask_idle, METH_O, NULL},
    {"is_quiet", py_mask_is_quiet, METH_VARARGS, NULL},
    {"slow", py_mask_slow, METH_O, NULL},
    {"key_figures", py_mask_key_figures, METH_NOARGS, NULL},
    {"send_key", py_mask_send_key, METH_VARARGS, NULL},
    {"sent", py_mask_sent, METH_O, NULL},
    {"rtp", py_mask_rtp, METH_VARARGS, NULL},
    {"rtcp", py_mask_rtcp, METH_O, NULL},
    {"rtcp_back", py_mask_rtcp_back, METH_O, NULL},
    {"reception", py_mask_reception, METH_O, NULL},
    {"take_ripe", py_mask_take_ripe, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot mask_slots[] = {
    {Py_tp_doc, "The decisions for one direction, for tests."},
    {Py_tp_new, py_mask_new},
    {Py_tp_dealloc, py_mask_dealloc},
    {Py_tp_methods, mask_methods},
    {0, NULL},
};
PyType_Spec mask_spec = {"media._core.Mask", sizeof(Mask), 0, Py_TPFLAGS_DEFAULT, mask_slots};
