/* Arguments that several types take. */
#ifndef TONEWALL_PYTHON_ARGUMENTS_H
#define TONEWALL_PYTHON_ARGUMENTS_H

#include "dtmf/event_sender.h"
#include "mask/hold.h"
#include "mask/payload_types.h"
#include "python/python.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The lists point into `given`. False: an exception is set. */
bool py_read_types(const Py_buffer given[TYPE_KINDS], struct type_list lists[TYPE_KINDS]);
/* Releases those that were filled; the others are all zeros. */
void py_release_types(Py_buffer given[TYPE_KINDS]);
/* False: an exception is set. */
bool py_read_options(int policy, int guard, int tones, int placeholder, struct mask_options *out);
/* Fills in the key of a SIP INFO's body, where `out->clock` is set. False: an exception is set. */
bool py_read_key(const Py_buffer *body, int type, struct outgoing_key *out);
/* The arguments of `take_digits`: the stream, and the place for its digits. False: an exception is
 * set. */
bool py_read_digits_place(PyObject *args, PyObject *kwargs, long long *stream, uint8_t **into, size_t *room);

#endif
