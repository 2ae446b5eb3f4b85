/* The figures of a stream for Python. */
#ifndef TONEWALL_PYTHON_RELAY_FIGURES_H
#define TONEWALL_PYTHON_RELAY_FIGURES_H

#include "python/python.h"
#include "relay/relay_api.h"

/* A dict, `caller_` and `agent_` before each name. NULL: an exception is set. */
PyObject *py_counters(const struct counters counters[LEGS]);
/* Of one leg: (unproved, newest stranger as (host, port) or None, {payload type: packets}). NULL:
 * an exception is set. */
PyObject *py_arrived(const struct arrived *arrived);
/* (events, tones, shared, doubled, talks). NULL: an exception is set. */
PyObject *py_key_figures(const struct key_figures *figures, bool doubled);
/* A dict. NULL: an exception is set. */
PyObject *py_tally(const struct tally *tally);

#endif
