/* What one mask has kept from the agent, and what has left under it. No figure depends on which
 * keys they were: neither the audio that was shut, which is a block more or less for some of them,
 * nor anything else of a tone is counted. */
#ifndef TONEWALL_MASK_TALLY_H
#define TONEWALL_MASK_TALLY_H

#include "mask/decision.h"
#include "mask/mask.h"
#include "mask/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros: there was no mask yet. */
struct tally {
    int64_t since_ms, until_ms; /* since the epoch; 0: it has not ended */
    struct key_figures keys;
    uint64_t events; /* packets of the customer's that held an event */
    uint64_t withheld, octets; /* packets of the customer's that did not leave, and theirs */
    uint64_t left, passed; /* packets that left for the agent; those of them that held an event */
    uint64_t alarms; /* keys that the canary found in what was to leave, or had left */
};

/* A mask goes on. `wall_ms`: milliseconds since the epoch. */
void tally_begin(struct tally *tally, int64_t wall_ms);
/* It is about to go off, and has counted all of its keys. */
void tally_end(struct tally *tally, const struct mask *mask, int64_t wall_ms);
/* Whether it has begun, and not ended. */
bool tally_goes_on(const struct tally *tally);
/* The figures so far. */
struct tally tally_read(const struct tally *tally, const struct mask *mask, int64_t wall_ms);
/* A packet of the customer's was decided about while masked. `came`: its octets. */
void tally_count_decided(struct tally *tally, const struct decision *decision, size_t came);
/* A packet was decided about before, and does not leave after all. */
void tally_count_stopped(struct tally *tally, size_t octets);
/* Whether a packet in clear that is to leave while masked holds an event: read anew, by nobody that
 * has decided about it. */
bool tally_sees_event(const struct mask *mask, const uint8_t *packet, size_t length);

#endif
