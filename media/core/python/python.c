/* The parts that all types of the Python module share. */
#include "python/python.h"

#include <errno.h>

void *py_allocate(PyTypeObject *type) {
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    return allocate(type, 0);
}

void py_free_object(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

PyObject *py_refuse_pickle(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored)) {
    PyErr_SetString(PyExc_TypeError, "this object cannot be pickled or copied");
    return NULL;
}

PyObject *py_none_or_error(int error) {
    if (error == 0)
        Py_RETURN_NONE;
    errno = -error;
    return PyErr_SetFromErrno(PyExc_OSError);
}
