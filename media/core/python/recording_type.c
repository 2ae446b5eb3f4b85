/* Recording for Python: audio of a prompt, which the media threads read without the GIL. */
#include "python/recording_type.h"

PyTypeObject *py_recording_type;

typedef struct {
    PyObject_HEAD
    struct recording *recording; /* held */
} Recording;

static PyObject *py_recording_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"octets", "coding", NULL};
    Py_buffer octets;
    int coding;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*i", names, &octets, &coding))
        return NULL;
    Recording *self = NULL;
    if (coding < CODING_MU || coding > CODING_G722 || octets.len == 0)
        PyErr_SetString(PyExc_ValueError, "a recording needs audio of a known coding");
    else if ((self = py_allocate(type)) != NULL) {
        self->recording = recording_new((enum coding)coding, octets.buf, (size_t)octets.len);
        if (self->recording == NULL) {
            PyErr_NoMemory();
            Py_CLEAR(self);
        }
    }
    PyBuffer_Release(&octets);
    return (PyObject *)self;
}

static void py_recording_dealloc(PyObject *self) {
    if (((Recording *)self)->recording != NULL)
        recording_release(((Recording *)self)->recording);
    py_free_object(self);
}

static Py_ssize_t py_recording_length(PyObject *self) {
    return (Py_ssize_t)((Recording *)self)->recording->size;
}

void py_release_recordings(struct play *play) {
    while (play->count > 0)
        recording_release(play->recordings[--play->count]);
}

bool py_hold_recordings(PyObject *sequence, struct play *play) {
    Py_ssize_t count = PySequence_Size(sequence);
    if (count < 0)
        return false;
    if (count == 0 || count > PLAYER_RECORDINGS) {
        PyErr_Format(PyExc_ValueError, "expected 1 to %d recordings", PLAYER_RECORDINGS);
        return false;
    }
    for (Py_ssize_t i = 0; i < count && !PyErr_Occurred(); i++) {
        PyObject *item = PySequence_GetItem(sequence, i);
        if (item == NULL)
            break;
        if (!PyObject_TypeCheck(item, py_recording_type))
            PyErr_SetString(PyExc_TypeError, "expected recordings");
        else if (i > 0 && ((Recording *)item)->recording->coding != play->recordings[0]->coding)
            PyErr_SetString(PyExc_ValueError, "the recordings differ in their coding");
        else
            play->recordings[play->count++] = recording_hold(((Recording *)item)->recording);
        Py_DECREF(item);
    }
    if (PyErr_Occurred())
        py_release_recordings(play);
    return play->count > 0;
}

static PyMethodDef recording_methods[] = {NOT_PICKLED, {NULL, NULL, 0, NULL}};
static PyType_Slot recording_slots[] = {
    {Py_tp_doc, "Audio of a prompt."},
    {Py_tp_new, py_recording_new},
    {Py_tp_dealloc, py_recording_dealloc},
    {Py_tp_methods, recording_methods},
    {Py_sq_length, py_recording_length},
    {0, NULL},
};
PyType_Spec recording_spec = {"media._core.Recording", sizeof(Recording), 0, Py_TPFLAGS_DEFAULT,
                              recording_slots};
