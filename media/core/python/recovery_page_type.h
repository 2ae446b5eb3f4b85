/* RecoveryPage for Python. */
#ifndef TONEWALL_PYTHON_RECOVERY_PAGE_TYPE_H
#define TONEWALL_PYTHON_RECOVERY_PAGE_TYPE_H

#include "python/python.h"
#include "relay/slot.h"

extern PyTypeObject *py_recovery_page_type;

/* Maps a slot of a page, or of none (None). NULL: an exception is set. */
struct slot *py_map_slot(PyObject *page, long long number);

#endif
