/* Player for Python's tests: the packets of one leg, without sockets and with a clock that is
 * given. */
#include "prompt/player.h"

#include "python/python.h"
#include "python/recording_type.h"
#include "rtp/rtcp_report.h"

#include <string.h>

typedef struct {
    PyObject_HEAD
    struct player player;
    struct departed departed;
} Player;

static void keep_departed(Player *self, const struct rtp *rtp, int64_t now_ms) {
    self->departed = (struct departed){.used = true,
                                       .type = rtp->type,
                                       .seq = rtp->seq,
                                       .ssrc = rtp->ssrc,
                                       .timestamp = rtp->timestamp,
                                       .duration = (uint32_t)(rtp->end - rtp->start),
                                       .at_ms = now_ms};
}

static PyObject *py_player_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {NULL};
    return PyArg_ParseTupleAndKeywords(args, kwargs, "", names) ? py_allocate(type) : NULL;
}

static void py_player_dealloc(PyObject *self) {
    player_clear(&((Player *)self)->player);
    py_free_object(self);
}

static PyObject *py_player_begin(PyObject *object, PyObject *args) {
    Player *self = (Player *)object;
    struct play play = {0};
    PyObject *recordings;
    int type, ducks;
    unsigned int own;
    long long due_ms;
    if (!PyArg_ParseTuple(args, "iOpIL", &type, &recordings, &ducks, &own, &due_ms) ||
        !py_hold_recordings(recordings, &play))
        return NULL;
    play.type = (uint8_t)type;
    play.ducks = ducks;
    player_begin(&self->player, &play, &self->departed, own, due_ms);
    Py_RETURN_NONE;
}

static PyObject *py_player_end(PyObject *self, PyObject *args) {
    long long now_ms;
    if (!PyArg_ParseTuple(args, "L", &now_ms))
        return NULL;
    return PyBool_FromLong(player_end(&((Player *)self)->player, PLAY_STOPPED, now_ms));
}

static PyObject *py_player_admit(PyObject *object, PyObject *args) {
    Player *self = (Player *)object;
    Py_buffer given;
    int coding, is_event;
    long long now_ms;
    struct rtp rtp;
    uint8_t packet[2048];
    if (!PyArg_ParseTuple(args, "y*ipL", &given, &coding, &is_event, &now_ms))
        return NULL;
    size_t length = (size_t)given.len < sizeof packet ? (size_t)given.len : sizeof packet;
    memcpy(packet, given.buf, length);
    PyBuffer_Release(&given);
    bool is_rtp = rtp_parse(packet, length, &rtp);
    if (!player_admit(&self->player, packet, length, coding, is_event, now_ms))
        Py_RETURN_NONE;
    if (is_rtp && !is_event)
        keep_departed(self, &rtp, now_ms);
    return PyBytes_FromStringAndSize((const char *)packet, (Py_ssize_t)length);
}

static PyObject *py_player_next(PyObject *object, PyObject *args) {
    Player *self = (Player *)object;
    long long now_ms;
    uint8_t out[PLAYER_PACKET];
    struct rtp rtp;
    if (!PyArg_ParseTuple(args, "L", &now_ms))
        return NULL;
    size_t length = player_next(&self->player, now_ms, out);
    if (length == 0)
        Py_RETURN_NONE;
    if (rtp_parse(out, length, &rtp))
        keep_departed(self, &rtp, now_ms);
    return PyBytes_FromStringAndSize((const char *)out, (Py_ssize_t)length);
}

static PyObject *py_player_report(PyObject *self, PyObject *args) {
    Py_buffer given;
    uint8_t packet[2048];
    if (!PyArg_ParseTuple(args, "y*", &given))
        return NULL;
    size_t length = (size_t)given.len < sizeof packet ? (size_t)given.len : sizeof packet;
    memcpy(packet, given.buf, length);
    PyBuffer_Release(&given);
    rtcp_report_as_sent(&((Player *)self)->player.tracks, packet, length);
    return PyBytes_FromStringAndSize((const char *)packet, (Py_ssize_t)length);
}

static PyMethodDef player_methods[] = {
    {"begin", py_player_begin, METH_VARARGS, NULL}, {"end", py_player_end, METH_VARARGS, NULL},
    {"admit", py_player_admit, METH_VARARGS, NULL}, {"next", py_player_next, METH_VARARGS, NULL},
    {"report", py_player_report, METH_VARARGS, NULL}, NOT_PICKLED,
    {NULL, NULL, 0, NULL},
};
static PyType_Slot player_slots[] = {
    {Py_tp_doc, "What is played into one leg."},
    {Py_tp_new, py_player_new},
    {Py_tp_dealloc, py_player_dealloc},
    {Py_tp_methods, player_methods},
    {0, NULL},
};
PyType_Spec player_spec = {"media._core.Player", sizeof(Player), 0, Py_TPFLAGS_DEFAULT, player_slots};
