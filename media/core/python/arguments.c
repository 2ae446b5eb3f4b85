/* Arguments that several types take. */
#include "python/arguments.h"

#include "dtmf/sip_info.h"
#include "python/secret_type.h"
#include "relay/relay_api.h"

static bool are_types(const Py_buffer *types) {
    for (Py_ssize_t i = 0; i < types->len; i++)
        if (((const uint8_t *)types->buf)[i] > 127) {
            PyErr_SetString(PyExc_ValueError, "a payload type is 0 to 127");
            return false;
        }
    return true;
}

bool py_read_types(const Py_buffer given[TYPE_KINDS], struct type_list lists[TYPE_KINDS]) {
    for (int kind = 0; kind < TYPE_KINDS; kind++) {
        if (!are_types(&given[kind]))
            return false;
        lists[kind] = (struct type_list){given[kind].buf, (size_t)given[kind].len};
    }
    return true;
}

void py_release_types(Py_buffer given[TYPE_KINDS]) {
    for (int kind = 0; kind < TYPE_KINDS; kind++)
        if (given[kind].obj != NULL)
            PyBuffer_Release(&given[kind]);
}

bool py_read_options(int policy, int guard, int tones, int placeholder, struct mask_options *out) {
    if (policy < POLICY_MASK || policy > POLICY_MUTE || guard < 0 || guard > GUARD_MAX) {
        PyErr_Format(PyExc_ValueError, "policy is 0 to %d, guard 0 to %d blocks", POLICY_MUTE, GUARD_MAX);
        return false;
    }
    *out = (struct mask_options){
        .policy = (enum policy)policy, .guard = guard, .tones = tones, .placeholder = placeholder};
    return true;
}

bool py_read_key(const Py_buffer *body, int type, struct outgoing_key *out) {
    if (type < 0 || type > 127 || out->clock < 1 || out->clock > CLOCK_MAX) {
        PyErr_Format(PyExc_ValueError, "payload_type is 0 to 127, clock 1 to %d Hz", CLOCK_MAX);
        return false;
    }
    int code = sip_info_key(body->buf, (size_t)body->len);
    if (code < 0) {
        PyErr_SetString(PyExc_ValueError, "no key can be read from this body");
        return false;
    }
    out->code = (uint8_t)code;
    out->type = (uint8_t)type;
    out->duration_ms = sip_info_duration_ms(body->buf, (size_t)body->len);
    return true;
}

bool py_read_digits_place(PyObject *args, PyObject *kwargs, long long *stream, uint8_t **into, size_t *room) {
    static char *names[] = {"stream", "into", "offset", NULL};
    PyObject *memory;
    Py_ssize_t offset;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "LO!n", names, stream, py_secret_type, &memory, &offset))
        return false;
    *into = py_secret_from(memory, offset, 0, room);
    return *into != NULL;
}
