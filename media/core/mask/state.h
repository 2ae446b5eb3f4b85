/* The state of one direction's mask. */
#ifndef TONEWALL_MASK_STATE_H
#define TONEWALL_MASK_STATE_H

#include "dtmf/event_sender.h"
#include "dtmf/reassembly.h"
#include "mask/gap.h"
#include "mask/hold.h"
#include "mask/payload_types.h"
#include "rtp/red.h"
#include "rtp/sequence.h"

#include <stdbool.h>
#include <stdint.h>

/* The newest packet that may be the first of an event under a wrong type. */
struct suspect {
    bool used;
    uint16_t seq;
    uint32_t ssrc, timestamp;
    int64_t at_ms;
};

/* From the customer to the agent. All zeros: not masked, and no payload types are known. */
struct mask {
    struct payload_types types;
    bool on;
    bool shut; /* a key was found in a packet: none leaves until the mask goes off */
    bool drops_events; /* the agent's side has agreed on no telephone-event: none leaves, masked or not */
    /* While masked: an event came, or the decoder process found a tone, the last at `keyed_ms`. */
    bool keyed;
    int64_t keyed_ms;
    unsigned event_presses; /* while masked: presses that came as events */
    /* While masked, not owned; NULL where there is no memory for it: then no audio leaves. */
    struct hold *hold;
    struct tracks tracks;
    struct presses presses;
    struct suspect suspect;
    struct red_reach reach;
    struct event_sender sender;
    struct gap gap; /* while masked */
};

#endif
