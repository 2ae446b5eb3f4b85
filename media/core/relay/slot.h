/* What the successor of a killed process has to know of one stream: a slot of the recovery page
 * (docs/adr/0073), or memory of the stream's own.
 *
 * Rule 1: no key of SRTP, no digit, and nothing of when a digit was pressed is ever in it.
 * Rule 2: it may be half written at any time: a process dies between any two stores.
 * Rule 3: what it does not say for certain counts as the worst: a mask whose state is unknown is
 *         on, and a key of SRTP whose indices are not known is not used. */
#ifndef TONEWALL_RELAY_SLOT_H
#define TONEWALL_RELAY_SLOT_H

#include "mask/tally.h"
#include "prompt/player.h"
#include "relay/indices.h"
#include "relay/latch.h"
#include "relay/relay_api.h"
#include "rtp/quality.h"
#include "rtp/sequence.h"

#include <stdbool.h>
#include <stdint.h>

/* OFF_MS: for so long after a mask went off a successor masks the stream: an event that had begun
 * under the mask may go on. */
enum { RECOVERY_SLOT = 8192, SLOT_OFF_MS = 5000, SLOT_SOCKETS = 4 };

struct slot {
    uint64_t mark; /* of this layout; written last */
    uint64_t mask; /* see slot.c */
    struct indices in[LEGS], out[LEGS];
    struct latch latches[SLOT_SOCKETS];
    struct track_notes tracks; /* from the customer to the agent */
    struct player_note players[LEGS];
    /* Figures. Where a process dies between two stores to them they are off by a packet. */
    struct departed departed[LEGS]; /* RTP for each */
    struct counters counters[LEGS];
    struct arrivals arrivals[LEGS];
    struct arrived arrived[LEGS];
    struct tally tally; /* of the newest mask */
};
_Static_assert(sizeof(struct slot) <= RECOVERY_SLOT, "a slot has its room");

/* Maps a slot of a recovery page. `descriptor` -1: memory of the stream's own, of which no
 * successor learns. NULL: errno is set. */
struct slot *slot_map(int descriptor, uint64_t number);
/* Gives the memory back. What it holds stays there for a successor. NULL: nothing. */
void slot_unmap(struct slot *slot);
/* Wipes it, and begins with a stream that is not masked. */
void slot_begin(struct slot *slot);
/* Goes on with what it holds. False: nothing can be read; it is as `slot_lose` leaves it. */
bool slot_succeed(struct slot *slot);
/* Begins with a stream of which nothing is known: masked, and without keys of SRTP. */
void slot_lose(struct slot *slot);
/* Wipes it: no stream is in it. */
void slot_wipe(struct slot *slot);

/* A mask is about to go on. */
void slot_note_on(struct slot *slot);
/* A mask found a key in what was to leave. */
void slot_note_shut(struct slot *slot);
/* A mask has gone off. */
void slot_note_off(struct slot *slot, int64_t now_ms);
/* Of an event that began under the mask another packet was withheld. */
void slot_note_tail(struct slot *slot, int64_t now_ms);
/* Whether a successor has to mask the stream. */
bool slot_is_masked(const struct slot *slot, int64_t now_ms);
/* Whether nothing is to leave under that mask. */
bool slot_is_shut(const struct slot *slot);

#endif
