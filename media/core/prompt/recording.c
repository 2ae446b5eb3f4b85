/* Audio of a prompt: encoded once, read by every call that plays it. */
#include "prompt/recording.h"

#include <stdlib.h>
#include <string.h>

struct recording *recording_new(enum coding coding, const uint8_t *octets, size_t size) {
    struct recording *recording = malloc(sizeof *recording + size);
    if (recording == NULL)
        return NULL;
    atomic_init(&recording->holders, 1);
    recording->coding = coding;
    recording->size = size;
    memcpy(recording->octets, octets, size);
    return recording;
}

struct recording *recording_hold(struct recording *recording) {
    atomic_fetch_add_explicit(&recording->holders, 1, memory_order_relaxed);
    return recording;
}

void recording_release(struct recording *recording) {
    if (atomic_fetch_sub_explicit(&recording->holders, 1, memory_order_acq_rel) == 1)
        free(recording);
}
