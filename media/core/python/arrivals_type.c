/* Arrivals for Python's tests: rtp/quality.c without sockets. */
#include "python/python.h"
#include "rtp/quality.h"

typedef struct {
    PyObject_HEAD
    struct arrivals arrivals;
} Arrivals;

static PyObject *py_arrivals_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "", names))
        return NULL;
    return py_allocate(type);
}

static void py_arrivals_dealloc(PyObject *self) { py_free_object(self); }

static PyObject *py_arrivals_add_packet(PyObject *self, PyObject *args) {
    unsigned int ssrc, seq, timestamp;
    int clock, audio;
    long long now_ms;
    if (!PyArg_ParseTuple(args, "IIIiLp", &ssrc, &seq, &timestamp, &clock, &now_ms, &audio))
        return NULL;
    struct rtp rtp = {.ssrc = ssrc, .seq = (uint16_t)seq, .timestamp = timestamp};
    quality_add(&((Arrivals *)self)->arrivals, &rtp, clock, now_ms, audio);
    Py_RETURN_NONE;
}

static PyObject *py_arrivals_report(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    struct arrival_quality quality = quality_of(&((Arrivals *)self)->arrivals);
    return Py_BuildValue("(KKK)", (unsigned long long)quality.expected, (unsigned long long)quality.missing,
                         (unsigned long long)quality.jitter_us);
}

static PyMethodDef arrivals_methods[] = {
    {"add_packet", py_arrivals_add_packet, METH_VARARGS, NULL},
    {"report", py_arrivals_report, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot arrivals_slots[] = {
    {Py_tp_doc, "How a stream arrives, for tests."},
    {Py_tp_new, py_arrivals_new},
    {Py_tp_dealloc, py_arrivals_dealloc},
    {Py_tp_methods, arrivals_methods},
    {0, NULL},
};
PyType_Spec arrivals_spec = {"media._core.Arrivals", sizeof(Arrivals), 0, Py_TPFLAGS_DEFAULT, arrivals_slots};
