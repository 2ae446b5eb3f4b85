/* The figures of a stream for Python. */
#include "python/relay_figures.h"

#include <arpa/inet.h>
#include <stdbool.h>

PyObject *py_counters(const struct counters counters[LEGS]) {
    const struct counters *caller = &counters[CALLER], *agent = &counters[AGENT];
    return Py_BuildValue(
        "{sKsKsKsKsKsKsKsKsKsKsKsKsKsKsKsKsKsKsKsKsKsK}", "caller_received", caller->received, "caller_sent",
        caller->sent, "caller_masked", caller->masked, "caller_foreign_source", caller->foreign_source,
        "caller_malformed", caller->malformed, "agent_received", agent->received, "agent_sent", agent->sent,
        "agent_masked", agent->masked, "agent_foreign_source", agent->foreign_source, "agent_malformed",
        agent->malformed, "caller_reports", caller->reports, "caller_lost", caller->lost, "caller_jitter",
        caller->jitter, "agent_reports", agent->reports, "agent_lost", agent->lost, "agent_jitter",
        agent->jitter, "caller_expected", caller->expected, "caller_missing", caller->missing,
        "caller_arrival_jitter", caller->arrival_jitter, "agent_expected", agent->expected, "agent_missing",
        agent->missing, "agent_arrival_jitter", agent->arrival_jitter);
}

PyObject *py_key_figures(const struct key_figures *figures, bool doubled) {
    return Py_BuildValue("(IIIOO)", figures->events, figures->tones, figures->shared,
                         doubled ? Py_True : Py_False, figures->talks ? Py_True : Py_False);
}

PyObject *py_tally(const struct tally *tally) {
    return Py_BuildValue("{sLsLsIsIsIsKsKsKsKsKsK}", "since", tally->since_ms, "until", tally->until_ms,
                         "keys_as_events", tally->keys.events, "keys_as_tones", tally->keys.tones,
                         "keys_as_both", tally->keys.shared, "event_packets", tally->events, "withheld",
                         tally->withheld, "octets", tally->octets, "left", tally->left, "passed",
                         tally->passed, "alarms", tally->alarms);
}

/* {payload type: packets}, without types of which none came. */
static PyObject *count_types(const uint64_t types[PAYLOAD_TYPES]) {
    PyObject *counts = PyDict_New();
    for (int type = 0; type < PAYLOAD_TYPES && counts != NULL; type++) {
        if (types[type] == 0)
            continue;
        PyObject *key = PyLong_FromLong(type), *count = PyLong_FromUnsignedLongLong(types[type]);
        if (key == NULL || count == NULL || PyDict_SetItem(counts, key, count) != 0)
            Py_CLEAR(counts);
        Py_XDECREF(key);
        Py_XDECREF(count);
    }
    return counts;
}

PyObject *py_arrived(const struct arrived *arrived) {
    char host[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_storage *from = &arrived->stranger;
    bool is_v6 = from->ss_family == AF_INET6;
    const void *binary = is_v6 ? (const void *)&((const struct sockaddr_in6 *)from)->sin6_addr
                               : (const void *)&((const struct sockaddr_in *)from)->sin_addr;
    int port = ntohs(((const struct sockaddr_in *)from)->sin_port); /* in both at the same place */
    bool is_named =
        arrived->has_stranger && inet_ntop(is_v6 ? AF_INET6 : AF_INET, binary, host, sizeof host) != NULL;
    PyObject *types = count_types(arrived->types);
    if (types == NULL)
        return NULL;
    unsigned long long unproved = arrived->unproved;
    return is_named ? Py_BuildValue("(K(si)N)", unproved, host, port, types)
                    : Py_BuildValue("(KON)", unproved, Py_None, types);
}
