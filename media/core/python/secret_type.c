/* SecretMemory for Python: a buffer, and nothing that could copy it. */
#include "python/python.h"

#include <errno.h>
#include <unistd.h>

PyTypeObject *secret_type;

PyObject *refuse_pickle(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    (void)self;
    PyErr_SetString(PyExc_TypeError, "this object cannot be pickled or copied");
    return NULL;
}

void free_object(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *secret_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"size", NULL};
    Py_ssize_t size;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n", names, &size))
        return NULL;
    if (size <= 0)
        return PyErr_Format(PyExc_ValueError, "size must be positive");
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    SecretMemory *self = (SecretMemory *)allocate(type, 0);
    if (self != NULL && !secret_map(&self->secret, (size_t)size)) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void secret_dealloc(PyObject *self) {
    secret_unmap(&((SecretMemory *)self)->secret);
    free_object(self);
}

static bool secret_is_ours(SecretMemory *self, PyObject *error) {
    if (self->secret.owner == (int)getpid())
        return true;
    PyErr_SetString(error, "secret memory is not inherited by a child process");
    return false;
}

uint8_t *secret_from(PyObject *object, Py_ssize_t offset, size_t least, size_t *room) {
    SecretMemory *self = (SecretMemory *)object;
    if (!secret_is_ours(self, PyExc_RuntimeError))
        return NULL;
    if (offset < 0 || (size_t)offset > self->secret.size || self->secret.size - (size_t)offset < least) {
        PyErr_SetString(PyExc_ValueError, "offset lies outside the memory");
        return NULL;
    }
    *room = self->secret.size - (size_t)offset;
    return self->secret.bytes + offset;
}

bool take_digits_place(PyObject *args, PyObject *kwargs, long long *stream, uint8_t **into, size_t *room) {
    static char *names[] = {"stream", "into", "offset", NULL};
    PyObject *memory;
    Py_ssize_t offset;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "LO!n", names, stream, secret_type, &memory, &offset))
        return false;
    *into = secret_from(memory, offset, 0, room);
    return *into != NULL;
}

static int secret_getbuffer(PyObject *object, Py_buffer *view, int flags) {
    SecretMemory *self = (SecretMemory *)object;
    if (!secret_is_ours(self, PyExc_BufferError)) {
        view->obj = NULL;
        return -1;
    }
    return PyBuffer_FillInfo(view, object, self->secret.bytes, (Py_ssize_t)self->secret.size, 0, flags);
}

static Py_ssize_t secret_len(PyObject *self) { return (Py_ssize_t)((SecretMemory *)self)->secret.size; }

static PyObject *secret_repr(PyObject *self) {
    return PyUnicode_FromFormat("<SecretMemory of %zd bytes>", secret_len(self));
}

static PyObject *secret_kind(PyObject *self, void *Py_UNUSED(closure)) {
    return PyUnicode_FromString(((SecretMemory *)self)->secret.kind);
}

static PyObject *secret_wipe_method(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    secret_wipe(&((SecretMemory *)self)->secret);
    Py_RETURN_NONE;
}

static PyMethodDef secret_methods[] = {
    {"wipe", secret_wipe_method, METH_NOARGS, NULL},
    {"__reduce__", refuse_pickle, METH_NOARGS, NULL},
    {"__reduce_ex__", refuse_pickle, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef secret_getset[] = {{"kind", secret_kind, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot secret_slots[] = {
    {Py_tp_doc, "Locked memory that is wiped when it is freed."},
    {Py_tp_new, secret_new},
    {Py_tp_dealloc, secret_dealloc},
    {Py_tp_repr, secret_repr},
    {Py_tp_methods, secret_methods},
    {Py_tp_getset, secret_getset},
    {Py_sq_length, secret_len},
    {Py_bf_getbuffer, secret_getbuffer},
    {0, NULL},
};
PyType_Spec secret_spec = {
    "media._core.SecretMemory", sizeof(SecretMemory), 0, Py_TPFLAGS_DEFAULT, secret_slots};
