/* RecoveryPage for Python: the memory from which a successor of this process learns what it has to
 * know. Each slot is mapped as its stream opens: a process that locks its memory would have all of
 * a sparse page. */
#include "python/recovery_page_type.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

PyTypeObject *py_recovery_page_type;

typedef struct {
    PyObject_HEAD
    int descriptor; /* owned */
    long long slots;
} RecoveryPage;

static PyObject *py_recovery_page_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"descriptor", NULL};
    int descriptor;
    struct stat about;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i", names, &descriptor))
        return NULL;
    if (fstat(descriptor, &about) != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    if (about.st_size <= 0 || about.st_size % RECOVERY_SLOT != 0)
        return PyErr_Format(PyExc_ValueError, "a recovery page has slots of %d octets", RECOVERY_SLOT);
    RecoveryPage *self = py_allocate(type);
    if (self == NULL)
        return NULL;
    self->slots = (long long)(about.st_size / RECOVERY_SLOT);
    self->descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (self->descriptor < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static void py_recovery_page_dealloc(PyObject *self) {
    if (((RecoveryPage *)self)->descriptor >= 0)
        close(((RecoveryPage *)self)->descriptor);
    py_free_object(self);
}

static PyObject *py_recovery_page_slots(PyObject *self, void *Py_UNUSED(ignored)) {
    return PyLong_FromLongLong(((RecoveryPage *)self)->slots);
}

struct slot *py_map_slot(PyObject *object, long long number) {
    const RecoveryPage *page = (RecoveryPage *)object;
    bool has_page = object != Py_None;
    if (has_page && !PyObject_TypeCheck(object, py_recovery_page_type)) {
        PyErr_SetString(PyExc_TypeError, "expected a RecoveryPage");
        return NULL;
    }
    if (has_page && (number < 0 || number >= page->slots)) {
        PyErr_SetString(PyExc_ValueError, "the page has no such slot");
        return NULL;
    }
    struct slot *slot = slot_map(has_page ? page->descriptor : -1, has_page ? (uint64_t)number : 0);
    if (slot == NULL)
        PyErr_SetFromErrno(PyExc_OSError);
    return slot;
}

static PyMethodDef recovery_page_methods[] = {NOT_PICKLED, {NULL, NULL, 0, NULL}};
static PyGetSetDef recovery_page_attributes[] = {{"slots", py_recovery_page_slots, NULL, NULL, NULL},
                                                 {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot recovery_page_slots[] = {
    {Py_tp_doc, "What a successor of this process has to know of its streams."},
    {Py_tp_new, py_recovery_page_new},
    {Py_tp_dealloc, py_recovery_page_dealloc},
    {Py_tp_methods, recovery_page_methods},
    {Py_tp_getset, recovery_page_attributes},
    {0, NULL},
};
PyType_Spec recovery_page_spec = {"media._core.RecoveryPage", sizeof(RecoveryPage), 0, Py_TPFLAGS_DEFAULT,
                                  recovery_page_slots};
