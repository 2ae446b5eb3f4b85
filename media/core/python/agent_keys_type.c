/* AgentKeys for Python's tests: mask/agent_events.c without sockets. */
#include "dtmf/agent_keys.h"
#include "mask/agent_events.h"
#include "mask/payload_types.h"
#include "python/arguments.h"
#include "python/python.h"

typedef struct {
    PyObject_HEAD
    struct payload_types types;
    struct agent_keys keys;
    struct agent_code code; /* not secret here: no card is keyed in a test */
} AgentKeys;

static PyObject *py_agent_keys_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"events", "red", NULL};
    Py_buffer given[TYPE_KINDS] = {0};
    struct type_list lists[TYPE_KINDS];
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*y*", names, &given[TYPE_EVENT], &given[TYPE_RED]))
        return NULL;
    AgentKeys *self = py_read_types(given, lists) ? py_allocate(type) : NULL;
    if (self != NULL) {
        payload_types_set(&self->types, lists);
        self->keys.code = &self->code;
        agent_keys_switch(&self->keys, true);
    }
    py_release_types(given);
    return (PyObject *)self;
}

static void py_agent_keys_dealloc(PyObject *self) { py_free_object(self); }

static PyObject *py_agent_keys_rtp(PyObject *self, PyObject *args) {
    AgentKeys *keys = (AgentKeys *)self;
    Py_buffer packet;
    int masked;
    long long now_ms;
    struct rtp rtp;
    if (!PyArg_ParseTuple(args, "y*pL", &packet, &masked, &now_ms))
        return NULL;
    bool is_withheld =
        rtp_parse(packet.buf, (size_t)packet.len, &rtp) &&
        agent_events_withhold(&keys->keys, &keys->types, packet.buf, &rtp, masked, now_ms);
    PyBuffer_Release(&packet);
    return PyBool_FromLong(!is_withheld);
}

static PyObject *py_agent_keys_info(PyObject *self, PyObject *args) {
    int code, masked;
    long long now_ms;
    if (!PyArg_ParseTuple(args, "ipL", &code, &masked, &now_ms))
        return NULL;
    return PyBool_FromLong(!agent_keys_info(&((AgentKeys *)self)->keys, (uint8_t)code, masked, now_ms));
}

static PyObject *py_agent_keys_take(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    uint8_t code[CODE_MAX];
    int count = agent_keys_take(&((AgentKeys *)self)->keys, code);
    return PyBytes_FromStringAndSize((const char *)code, count);
}

static PyMethodDef agent_keys_methods[] = {
    {"rtp", py_agent_keys_rtp, METH_VARARGS, NULL},
    {"info", py_agent_keys_info, METH_VARARGS, NULL},
    {"take", py_agent_keys_take, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot agent_keys_slots[] = {
    {Py_tp_doc, "The keys of an agent's telephone, for tests."},
    {Py_tp_new, py_agent_keys_new},
    {Py_tp_dealloc, py_agent_keys_dealloc},
    {Py_tp_methods, agent_keys_methods},
    {0, NULL},
};
PyType_Spec agent_keys_spec = {"media._core.AgentKeys", sizeof(AgentKeys), 0, Py_TPFLAGS_DEFAULT,
                               agent_keys_slots};
