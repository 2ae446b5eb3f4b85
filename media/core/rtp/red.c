/* Redundant payloads, read with bounds checked. The reasons are in media/reference/red.py. */
#include "rtp/red.h"

#include "rtp/wire.h"

enum { RED_FARTHEST = 0x3FFF };

int red_unwrap(const uint8_t *packet, const struct rtp *rtp, struct red_block blocks[RED_BLOCKS]) {
    size_t at = rtp->start;
    int count = 0;
    for (; rtp->end - at >= 4 && packet[at] & 0x80 && count < RED_BLOCKS; at += 4) {
        uint32_t word = get32(packet + at);
        blocks[count++] = (struct red_block){
            .type = word >> 24 & 0x7F,
            .copy = true,
            .timestamp = rtp->timestamp - (word >> 10 & 0x3FFF),
            .size = word & 0x3FF,
        };
    }
    if (count == RED_BLOCKS || at == rtp->end || packet[at] & 0x80)
        return 0;
    uint8_t primary = packet[at++];
    for (int i = 0; i < count; i++) {
        if (blocks[i].size > rtp->end - at)
            return 0;
        blocks[i].start = at;
        at += blocks[i].size;
    }
    blocks[count] =
        (struct red_block){.type = primary, .timestamp = rtp->timestamp, .start = at, .size = rtp->end - at};
    return count + 1;
}

void red_reach_mask(struct red_reach *reach) { *reach = (struct red_reach){.masked = true}; }

bool red_reach_is_back(struct red_reach *reach, const struct rtp *rtp, const struct red_block *blocks,
                       int count) {
    if (!reach->masked)
        return false;
    if (!reach->known || reach->ssrc != rtp->ssrc)
        *reach =
            (struct red_reach){.masked = true, .known = true, .ssrc = rtp->ssrc, .ended = rtp->timestamp};
    reach->masked = rtp_ticks_ahead(rtp->timestamp, reach->ended) <= RED_FARTHEST;
    for (int i = 0; i < count; i++)
        if (rtp_ticks_ahead(blocks[i].timestamp, reach->ended) < 0)
            return true;
    return count == 0;
}

void red_constants(const struct constant_sink *sink) { CONSTANTS(sink, RED_BLOCKS, RED_FARTHEST); }
