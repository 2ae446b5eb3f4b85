/* The telephone-events of the agent's side: those that are kept from the customer
 * (media/reference/agent_keys.py). */
#ifndef TONEWALL_MASK_AGENT_EVENTS_H
#define TONEWALL_MASK_AGENT_EVENTS_H

#include "dtmf/agent_keys.h"
#include "mask/payload_types.h"
#include "rtp/rtp.h"

#include <stdbool.h>
#include <stdint.h>

/* Takes the events of one packet of the agent's. Whether the packet is kept from the customer.
 * `masked`: the customer keys, and no event of the agent's leaves. */
bool agent_events_withhold(struct agent_keys *keys, const struct payload_types *types, const uint8_t *packet,
                           const struct rtp *rtp, bool masked, int64_t now_ms);

#endif
