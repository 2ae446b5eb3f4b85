/* Recording for Python. */
#ifndef TONEWALL_PYTHON_RECORDING_TYPE_H
#define TONEWALL_PYTHON_RECORDING_TYPE_H

#include "prompt/player.h"
#include "python/python.h"

#include <stdbool.h>

extern PyTypeObject *py_recording_type;

/* Holds the recordings of a sequence in `play`. False: an exception is set, and none is held. */
bool py_hold_recordings(PyObject *sequence, struct play *play);
/* Lets those of a play go that was not begun. */
void py_release_recordings(struct play *play);

#endif
