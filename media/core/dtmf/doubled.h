/* Whether each key of a capture comes twice (media/reference/doubled.py). */
#ifndef TONEWALL_DTMF_DOUBLED_H
#define TONEWALL_DTMF_DOUBLED_H

#include "constants.h"

#include <stdbool.h>
#include <stdint.h>

/* It compares keys: lives in secret memory only. All zeros: no key has come. */
struct doubled {
    uint8_t code; /* of the newest key, plus one; 0: none has come */
    bool open; /* that key has no twin yet */
    bool found; /* each key comes twice */
    unsigned pairs, others;
    int64_t at_ms, since_ms; /* when the newest key came, and how long after the one before */
};

/* Takes a key, in the order in which keys come. */
void doubled_add(struct doubled *doubled, int code, int64_t now_ms);

/* Gives the numbers that media/reference/doubled.py has, too. */
void doubled_constants(const struct constant_sink *sink);

#endif
