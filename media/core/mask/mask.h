/* Decides about each packet between the customer and the agent (media/reference/masking.py). No
 * I/O, no clock. */
#ifndef TONEWALL_MASK_MASK_H
#define TONEWALL_MASK_MASK_H

#include "mask/decision.h"
#include "mask/state.h"
#include "rtp/rtp.h"

/* Presses since the mask went on that came as events, as tones, and as both; whether the customer
 * has talked since the newest. */
struct key_figures {
    unsigned events, tones, shared;
    bool talks;
};

/* Decides about a packet of the customer's on its RTP port. May rewrite it in place. `rtp`: its
 * header, NULL where it is malformed. The decision is written to the caller's secret memory: a key
 * that was returned would be copied about. */
void mask_rtp(struct mask *mask, uint8_t *packet, size_t length, const struct rtp *rtp, int64_t now_ms,
              struct decision *decision);
/* The same for RTCP from the customer to the agent, */
void mask_caller_rtcp(const struct mask *mask, uint8_t *packet, size_t length, struct decision *decision);
/* and from the agent to the customer. */
void mask_agent_rtcp(const struct mask *mask, uint8_t *packet, size_t length, struct decision *decision);

/* A key came while masked. */
void mask_note_key(struct mask *mask, int64_t now_ms);
/* Whether no key has come for so long, as an event or a tone. */
bool mask_is_quiet(const struct mask *mask, int64_t now_ms, int64_t quiet_ms);
/* How the keys came. No figure depends on which they are. */
struct key_figures mask_key_figures(const struct mask *mask);

/* Puts a key behind those that leave as telephone-event. `own`: the SSRC where there is no audio.
 * False: it is masked, or too many wait. */
bool mask_send_key(struct mask *mask, const struct outgoing_key *key, uint32_t own, int64_t now_ms);
/* Writes the packet of such a key that leaves now. Returns its octets; 0: there is none. */
size_t mask_next_sent(struct mask *mask, int64_t now_ms, uint8_t out[EVENT_PACKET]);

#endif
