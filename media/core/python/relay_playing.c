/* The methods of Relay for Python about what is played (see _core.pyi). */
#include "python/relay_playing.h"

#include "mask/payload_types.h"
#include "python/recording_type.h"
#include "python/relay_object.h"

#include <stdbool.h>

static bool is_leg(int leg) {
    if (leg != CALLER && leg != AGENT)
        PyErr_SetString(PyExc_ValueError, "leg must be CALLER or AGENT");
    return leg == CALLER || leg == AGENT;
}

PyObject *py_relay_play(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream",     "leg",   "number",   "payload_type",
                            "recordings", "ducks", "barge_in", NULL};
    struct command command = {.kind = COMMAND_PLAY};
    struct play play = {0};
    long long stream, number;
    int type, ducks = false, barge_in = false;
    PyObject *recordings;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "LiLiO|pp", names, &stream, &command.leg, &number, &type,
                                     &recordings, &ducks, &barge_in) ||
        !is_leg(command.leg))
        return NULL;
    if (type < 0 || type >= PAYLOAD_TYPES)
        return PyErr_Format(PyExc_ValueError, "a payload type is below 128");
    if (!py_hold_recordings(recordings, &play))
        return NULL;
    play.number = number;
    play.type = (uint8_t)type;
    play.ducks = ducks;
    play.barge_in = barge_in;
    command.stream = stream;
    command.play = &play;
    PyObject *result = py_relay_run_or_null(self, &command);
    if (result == NULL)
        py_release_recordings(&play);
    return result;
}

/* Runs a command about one leg of a stream. False: an exception is set. */
static bool run_for_leg(PyObject *self, PyObject *args, PyObject *kwargs, struct command *command) {
    static char *names[] = {"stream", "leg", NULL};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Li", names, &stream, &command->leg) ||
        !is_leg(command->leg))
        return false;
    command->stream = stream;
    return py_relay_run(self, command);
}

PyObject *py_relay_stop_play(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct command command = {.kind = COMMAND_STOP_PLAY};
    return run_for_leg(self, args, kwargs, &command) ? PyBool_FromLong(command.result) : NULL;
}

PyObject *py_relay_played(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct command command = {.kind = COMMAND_PLAYED};
    if (!run_for_leg(self, args, kwargs, &command))
        return NULL;
    if (command.result == PLAY_RUNS)
        Py_RETURN_NONE;
    return Py_BuildValue("(Li)", (long long)command.played, command.result);
}

PyObject *py_relay_barge_in(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", NULL};
    struct command command = {.kind = COMMAND_BARGE_IN};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "L", names, &stream))
        return NULL;
    command.stream = stream;
    return py_relay_run_or_null(self, &command);
}

PyObject *py_relay_departed_type(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct command command = {.kind = COMMAND_DEPARTED_TYPE};
    if (!run_for_leg(self, args, kwargs, &command))
        return NULL;
    if (command.result == PAYLOAD_TYPES)
        Py_RETURN_NONE;
    return PyLong_FromLong(command.result);
}
