/* SecretMemory for Python: a buffer that nothing copies. */
#include "python/secret_type.h"

#include "memory/secret.h"

#include <unistd.h>

PyTypeObject *py_secret_type;

typedef struct {
    PyObject_HEAD
    struct secret secret;
} SecretMemory;

static PyObject *py_secret_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"size", NULL};
    Py_ssize_t size;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n", names, &size))
        return NULL;
    if (size <= 0)
        return PyErr_Format(PyExc_ValueError, "size must be positive");
    SecretMemory *self = py_allocate(type);
    if (self != NULL && !secret_map(&self->secret, (size_t)size)) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void py_secret_dealloc(PyObject *self) {
    secret_unmap(&((SecretMemory *)self)->secret);
    py_free_object(self);
}

static bool py_secret_is_ours(SecretMemory *self, PyObject *error) {
    if (self->secret.owner == (int)getpid())
        return true;
    PyErr_SetString(error, "secret memory is not inherited by a child process");
    return false;
}

uint8_t *py_secret_from(PyObject *object, Py_ssize_t offset, size_t least, size_t *room) {
    SecretMemory *self = (SecretMemory *)object;
    if (!py_secret_is_ours(self, PyExc_RuntimeError))
        return NULL;
    if (offset < 0 || (size_t)offset > self->secret.size || self->secret.size - (size_t)offset < least) {
        PyErr_SetString(PyExc_ValueError, "offset lies outside the memory");
        return NULL;
    }
    *room = self->secret.size - (size_t)offset;
    return self->secret.bytes + offset;
}

static int py_secret_getbuffer(PyObject *object, Py_buffer *view, int flags) {
    SecretMemory *self = (SecretMemory *)object;
    if (!py_secret_is_ours(self, PyExc_BufferError)) {
        view->obj = NULL;
        return -1;
    }
    return PyBuffer_FillInfo(view, object, self->secret.bytes, (Py_ssize_t)self->secret.size, 0, flags);
}

static Py_ssize_t py_secret_len(PyObject *self) { return (Py_ssize_t)((SecretMemory *)self)->secret.size; }

static PyObject *py_secret_repr(PyObject *self) {
    return PyUnicode_FromFormat("<SecretMemory of %zd bytes>", py_secret_len(self));
}

static PyObject *py_secret_kind(PyObject *self, void *Py_UNUSED(closure)) {
    return PyUnicode_FromString(((SecretMemory *)self)->secret.kind);
}

static PyObject *py_secret_wipe(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    secret_wipe(&((SecretMemory *)self)->secret);
    Py_RETURN_NONE;
}

static PyMethodDef secret_methods[] = {
    {"wipe", py_secret_wipe, METH_NOARGS, NULL},
    NOT_PICKLED,
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef secret_getset[] = {{"kind", py_secret_kind, NULL, NULL, NULL},
                                      {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot secret_slots[] = {
    {Py_tp_doc, "Locked memory that is wiped when it is freed."},
    {Py_tp_new, py_secret_new},
    {Py_tp_dealloc, py_secret_dealloc},
    {Py_tp_repr, py_secret_repr},
    {Py_tp_methods, secret_methods},
    {Py_tp_getset, secret_getset},
    {Py_sq_length, py_secret_len},
    {Py_bf_getbuffer, py_secret_getbuffer},
    {0, NULL},
};
PyType_Spec secret_spec = {"media._core.SecretMemory", sizeof(SecretMemory), 0, Py_TPFLAGS_DEFAULT,
                           secret_slots};
