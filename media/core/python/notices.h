/* Notices for Python. */
#ifndef TONEWALL_PYTHON_NOTICES_H
#define TONEWALL_PYTHON_NOTICES_H

#include "dtmf/notice.h"
#include "python/python.h"

/* Appends (stream, kind) for each to `list`, which may be NULL. NULL: an exception is set, and the
 * list is gone. */
PyObject *py_append_notices(PyObject *list, const struct notice *notices, int count);

#endif
