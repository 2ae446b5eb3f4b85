/* Arrivals for Python's tests: rtp/quality.c without sockets. */
#include "python/python.h"

typedef struct {
    PyObject_HEAD
    struct arrivals arrivals;
} Arrivals;

static PyObject *arrivals_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "", names))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    return allocate(type, 0);
}

static void arrivals_dealloc(PyObject *self) { free_object(self); }

static PyObject *arrivals_take_method(PyObject *self, PyObject *args) {
    unsigned int ssrc, seq, timestamp;
    int clock, audio;
    long long now_ms;
    if (!PyArg_ParseTuple(args, "IIIiLp", &ssrc, &seq, &timestamp, &clock, &now_ms, &audio))
        return NULL;
    struct rtp rtp = {.ssrc = ssrc, .seq = (uint16_t)seq, .timestamp = timestamp};
    arrivals_take(&((Arrivals *)self)->arrivals, &rtp, clock, now_ms, audio);
    Py_RETURN_NONE;
}

static PyObject *arrivals_told(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    struct counters counters;
    arrivals_tell(&((Arrivals *)self)->arrivals, &counters);
    return Py_BuildValue("(KKK)", (unsigned long long)counters.expected, (unsigned long long)counters.missing,
                         (unsigned long long)counters.arrival_jitter);
}

static PyMethodDef arrivals_methods[] = {
    {"take", arrivals_take_method, METH_VARARGS, NULL},
    {"told", arrivals_told, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot arrivals_slots[] = {
    {Py_tp_doc, "How a stream arrives, for tests."},
    {Py_tp_new, arrivals_new},
    {Py_tp_dealloc, arrivals_dealloc},
    {Py_tp_methods, arrivals_methods},
    {0, NULL},
};
PyType_Spec arrivals_spec = {"media._core.Arrivals", sizeof(Arrivals), 0, Py_TPFLAGS_DEFAULT, arrivals_slots};
