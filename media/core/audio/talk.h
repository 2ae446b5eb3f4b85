/* Whether somebody talks: by how the energy changes (media/reference/talk.py). */
#ifndef TONEWALL_AUDIO_TALK_H
#define TONEWALL_AUDIO_TALK_H

#include "constants.h"

#include <stdbool.h>
#include <stdint.h>

/* All zeros: nothing was heard. */
struct talk {
    int64_t sum; /* squares of the samples of the part that is not whole */
    int blocks; /* of that part */
    int64_t before; /* mean square of the part before; 0: none */
    uint64_t changes; /* a bit for each of the newest parts: whether it differs from the one before */
};

/* Takes a block: the squares of its samples, added up. */
void talk_hear(struct talk *talk, int64_t energy);
/* Whether somebody has talked for the newest seconds. */
bool talk_goes_on(const struct talk *talk);

/* Gives the numbers that media/reference/talk.py has, too. */
void talk_constants(const struct constant_sink *sink);

#endif
