/* The record of a packet's header for Python, for tests: as the relay makes it. */
#include "python/tapped_function.h"

#include "python/arguments.h"
#include "relay/tap.h"

#include <netinet/in.h>

PyObject *py_tapped(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs) {
    static char *names[] = {"packet", "events", "mu", "is_rtp", "masked", "at_us", NULL};
    Py_buffer packet, given[TYPE_KINDS] = {0};
    int is_rtp, masked;
    long long at_us;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*y*y*ppL", names, &packet, &given[TYPE_EVENT],
                                     &given[TYPE_MU], &is_rtp, &masked, &at_us))
        return NULL;
    struct type_list lists[TYPE_KINDS];
    struct payload_types types = {.are_known = false};
    const struct sockaddr_storage nowhere = {.ss_family = AF_INET};
    const struct tap_place place = {.is_masked = masked, .other = &nowhere};
    PyObject *result = NULL;
    if (py_read_types(given, lists)) {
        payload_types_set(&types, lists);
        struct tap_record record = tap_describe(&types, packet.buf, (size_t)packet.len,
                                                is_rtp ? TAP_RTP : TAP_RTCP, &place, at_us);
        result = PyBytes_FromStringAndSize((const char *)&record, sizeof record);
    }
    py_release_types(given);
    PyBuffer_Release(&packet);
    return result;
}
