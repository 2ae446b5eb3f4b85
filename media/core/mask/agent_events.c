/* The telephone-events of the agent's side. The reasons are in media/reference/agent_keys.py. */
#include "mask/agent_events.h"

#include "rtp/red.h"
#include "rtp/wire.h"

enum { AGENT_EVENT_OCTETS = 4 };

/* The first event of a block; several in one (RFC 4733 section 2.5.1.5) may hide a key. */
static bool take_block(struct agent_keys *keys, const struct red_block *block, const uint8_t *packet,
                       const struct rtp *rtp, bool masked, int64_t now_ms) {
    const uint8_t *event = packet + block->start;
    if (block->size < AGENT_EVENT_OCTETS || event[0] > 15)
        return masked;
    bool has_another = block->size >= 2 * AGENT_EVENT_OCTETS && get16(event + AGENT_EVENT_OCTETS + 2) != 0;
    struct arrival arrival = {.marker = rtp->marker,
                              .end = event[1] >> 7,
                              .masked = masked,
                              .copy = block->copy,
                              .code = event[0],
                              .seq = rtp->seq,
                              .duration = get16(event + 2),
                              .ssrc = rtp->ssrc,
                              .timestamp = block->timestamp,
                              .now_ms = now_ms};
    bool is_withheld = agent_keys_event(keys, &arrival);
    if (has_another)
        agent_keys_spoil(keys);
    return is_withheld;
}

bool agent_events_withhold(struct agent_keys *keys, const struct payload_types *types, const uint8_t *packet,
                           const struct rtp *rtp, bool masked, int64_t now_ms) {
    struct red_block blocks[RED_BLOCKS] = {{.type = rtp->type, .timestamp = rtp->timestamp}};
    blocks[0].start = rtp->start;
    blocks[0].size = rtp->end - rtp->start;
    enum type_kind kind = types->kinds[rtp->type];
    int count = kind == TYPE_RED ? red_unwrap(packet, rtp, blocks) : kind == TYPE_EVENT;
    bool is_withheld = false;
    for (int i = 0; i < count; i++)
        if (types->kinds[blocks[i].type] == TYPE_EVENT)
            is_withheld |= take_block(keys, &blocks[i], packet, rtp, masked, now_ms);
    return is_withheld;
}
