/* Audio of a prompt: encoded once, read by every call that plays it. */
#ifndef TONEWALL_PROMPT_RECORDING_H
#define TONEWALL_PROMPT_RECORDING_H

#include "audio/coding.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { RECORDING_OCTETS_A_MS = 8 }; /* of G.711 and G.722 alike */

/* Never changed once it is made. */
struct recording {
    atomic_int holders;
    enum coding coding;
    size_t size; /* octets */
    uint8_t octets[];
};

/* A copy of these octets, held once. NULL: errno is set. */
struct recording *recording_new(enum coding coding, const uint8_t *octets, size_t size);
/* Holds it once more. */
struct recording *recording_hold(struct recording *recording);
/* Lets it go; the last holder frees it. */
void recording_release(struct recording *recording);

#endif
