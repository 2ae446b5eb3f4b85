/* The methods of Relay for Python that open streams, and go on with those of another process (see
 * _core.pyi). */
#include "python/relay_opening.h"

#include "python/recovery_page_type.h"
#include "python/relay_object.h"

/* The stream is in the slot from now on. False: an exception is set. */
static bool open_in_slot(PyObject *self, struct command *command, PyObject *page, long long number) {
    command->slot = py_map_slot(page, number);
    bool is_open = command->slot != NULL && py_relay_run(self, command);
    if (!is_open)
        slot_unmap(command->slot);
    return is_open;
}

PyObject *py_relay_open_stream(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "caller_rtp", "caller_rtcp", "agent_rtp",
                            "agent_rtcp", "page", "slot", NULL};
    struct command command = {.kind = COMMAND_OPEN_STREAM};
    long long stream, number = -1;
    PyObject *page = Py_None;
    int *fds = command.fds;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Liiii|$OL", names, &stream, &fds[0], &fds[1], &fds[2],
                                     &fds[3], &page, &number))
        return NULL;
    command.stream = stream;
    if (!open_in_slot(self, &command, page, number))
        return NULL;
    Py_RETURN_NONE;
}

PyObject *py_relay_adopt_stream(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "caller_rtp", "caller_rtcp", "agent_rtp",
                            "agent_rtcp", "page", "slot", NULL};
    struct command command = {.kind = COMMAND_ADOPT_STREAM};
    long long stream, number;
    PyObject *page;
    int *fds = command.fds;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "LiiiiO!L", names, &stream, &fds[0], &fds[1], &fds[2],
                                     &fds[3], py_recovery_page_type, &page, &number))
        return NULL;
    command.stream = stream;
    return open_in_slot(self, &command, page, number) ? PyBool_FromLong(command.result) : NULL;
}

PyObject *py_relay_resume_stream(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", NULL};
    struct command command = {.kind = COMMAND_RESUME_STREAM};
    long long stream;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "L", names, &stream))
        return NULL;
    command.stream = stream;
    return py_relay_run_or_null(self, &command);
}
