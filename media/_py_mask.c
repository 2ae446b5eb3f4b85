/* Mask for Python's tests: the decisions of _decide.c without sockets. */
#include "_python.h"

#include <stdlib.h>
#include <string.h>

bool are_types(Py_buffer *types) {
    for (Py_ssize_t i = 0; i < types->len; i++)
        if (((const uint8_t *)types->buf)[i] > 127) {
            PyErr_SetString(PyExc_ValueError, "a payload type is 0 to 127");
            return false;
        }
    return true;
}

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
    struct decision decision = mask_rtcp(&((Mask *)object)->mask, view.buf, (size_t)view.len);
    PyObject *result = decision.verdict == FORWARD
                           ? PyBytes_FromStringAndSize((const char *)decision.bytes, (Py_ssize_t)decision.length)
                           : Py_NewRef(Py_None);
    PyBuffer_Release(&view);
    return result;
}

static PyObject *mask_reception(PyObject *Py_UNUSED(object), PyObject *packet) {
    Py_buffer view;
    if (PyObject_GetBuffer(packet, &view, PyBUF_SIMPLE) != 0)
        return NULL;
    uint64_t lost, jitter;
    bool told = rtcp_reception(view.buf, (size_t)view.len, &lost, &jitter);
    PyBuffer_Release(&view);
    return told ? Py_BuildValue("(KK)", (unsigned long long)lost, (unsigned long long)jitter) : Py_NewRef(Py_None);
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
    {"reception", mask_reception, METH_O, NULL},
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
PyType_Spec mask_spec = {"media._core.Mask", sizeof(Mask), 0, Py_TPFLAGS_DEFAULT, mask_slots};
