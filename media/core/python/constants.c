/* Numbers of the core, for the test that compares them with those of the Python reference. */
#include "python/constants.h"

#include "audio/codec.h"
#include "audio/inband.h"
#include "audio/placeholder.h"
#include "audio/sensitive_detector.h"
#include "audio/talk.h"
#include "audio/tones.h"
#include "dtmf/agent_keys.h"
#include "dtmf/doubled.h"
#include "dtmf/event_sender.h"
#include "dtmf/keys.h"
#include "dtmf/reassembly.h"
#include "dtmf/rtpengine_log.h"
#include "dtmf/sip_info.h"
#include "mask/events.h"
#include "mask/gap.h"
#include "mask/hold.h"
#include "relay/tap.h"
#include "rtp/quality.h"
#include "rtp/red.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"
#include "rtp/sequence.h"
#include "rtp/source.h"
#include "constants.h"

#include <string.h>

static const struct {
    const char *name;
    void (*give)(const struct constant_sink *sink);
} GIVERS[] = {
    {"agent_keys", agent_keys_constants},
    {"codec", codec_constants},                 {"doubled", doubled_constants},
    {"event_sender", event_sender_constants},   {"events", events_constants},
    {"gap", gap_constants},                     {"hold", hold_constants},
    {"inband", inband_constants},               {"keys", keys_constants},
    {"placeholder", placeholder_constants},     {"quality", quality_constants},
    {"reassembly", reassembly_constants},       {"red", red_constants},
    {"rtcp", rtcp_constants},                   {"rtp", rtp_constants},
    {"rtpengine_log", rtpengine_log_constants}, {"sensitive_detector", sensitive_detector_constants},
    {"sequence", sequence_constants},           {"sip_info", sip_info_constants},
    {"source", source_constants},               {"talk", talk_constants},
    {"tap", tap_constants},                     {"tones", tones_constants},
};

/* The number, or a list of the numbers before and this one. A new reference; NULL: an exception is
 * set. */
static PyObject *with_number(PyObject *before, PyObject *number) {
    if (before == NULL)
        return Py_NewRef(number);
    PyObject *list = PyList_Check(before) ? Py_NewRef(before) : PyList_New(0);
    if (list != NULL && list != before && PyList_Append(list, before) != 0)
        Py_CLEAR(list);
    if (list != NULL && PyList_Append(list, number) != 0)
        Py_CLEAR(list);
    return list;
}

/* Sets an exception where it fails. */
static void add_number(PyObject *numbers, const char *name, size_t length, double value) {
    PyObject *key = PyUnicode_FromStringAndSize(name, (Py_ssize_t)length),
             *number = PyFloat_FromDouble(value);
    PyObject *item = NULL;
    if (key != NULL && number != NULL)
        item = with_number(PyDict_GetItemWithError(numbers, key), number);
    if (item != NULL)
        PyDict_SetItem(numbers, key, item);
    Py_XDECREF(key);
    Py_XDECREF(number);
    Py_XDECREF(item);
}

static void take_numbers(void *into, const char *names, const double *values, size_t count) {
    for (size_t i = 0; i < count && !PyErr_Occurred(); i++) {
        size_t length = strcspn(names, ",");
        add_number(into, names, length, values[i]);
        names += length + strspn(names + length, ", ");
    }
}

PyObject *py_constants(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    PyObject *all = PyDict_New();
    for (size_t i = 0; i < sizeof GIVERS / sizeof *GIVERS && all != NULL; i++) {
        PyObject *numbers = PyDict_New();
        if (numbers != NULL)
            GIVERS[i].give(&(struct constant_sink){.take = take_numbers, .into = numbers});
        if (PyErr_Occurred() || PyDict_SetItemString(all, GIVERS[i].name, numbers) != 0)
            Py_CLEAR(all);
        Py_XDECREF(numbers);
    }
    return all;
}
