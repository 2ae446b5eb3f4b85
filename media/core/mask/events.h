/* Telephone-events in a packet, whatever its type says (media/reference/sighted_events.py,
 * telephone_event.py). */
#ifndef TONEWALL_MASK_EVENTS_H
#define TONEWALL_MASK_EVENTS_H

#include "constants.h"
#include "mask/decision.h"
#include "mask/state.h"
#include "rtp/rtp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_MIN = 40 }; /* octets: of fewer, nothing tells audio from events */

/* The events of one packet. */
struct events_seen {
    bool withheld; /* a part of one is kept from the agent */
    bool primary; /* one of the primary block's is */
    bool unwrapped; /* redundancy was taken off: the primary block alone may leave */
    bool has_until;
    uint32_t until; /* where the newest of the primary block ends */
};

/* Sights all events of a packet, and adds to the decision the presses that they begin. Where
 * redundancy has masked events, or may have, `rtp` becomes its primary block. */
struct events_seen events_sight(struct mask *mask, struct rtp *rtp, const uint8_t *packet, int64_t now_ms,
                                struct decision *decision);
/* Whether a payload may be one of events, of which any receiver would read keys. */
bool events_look_alike(const uint8_t *payload, size_t length);

/* Gives the numbers that media/formats/telephone_event.py has, too. */
void events_constants(const struct constant_sink *sink);

#endif
