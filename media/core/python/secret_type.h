/* SecretMemory for Python, as the other types take it. */
#ifndef TONEWALL_PYTHON_SECRET_TYPE_H
#define TONEWALL_PYTHON_SECRET_TYPE_H

#include "python/python.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Set while the module is loaded. */
extern PyTypeObject *py_secret_type;

/* The octets from `offset` on, at least `least` of them; `room`: how many. NULL: an exception is
 * set. `secret`: of py_secret_type. */
uint8_t *py_secret_from(PyObject *secret, Py_ssize_t offset, size_t least, size_t *room);

#endif
