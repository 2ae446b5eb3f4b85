/* Gaps that events leave in codecs that the core does not decode (media/reference/gap_fill.py). */
#ifndef TONEWALL_MASK_GAP_H
#define TONEWALL_MASK_GAP_H

#include "audio/codec.h"
#include "constants.h"
#include "mask/queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FILLINGS_MAX = 30 }; /* packets that fill one gap */
enum { GAP_PAYLOAD_MAX = QUEUE_MAX - RTP_HEADER }; /* octets of a payload; a larger one is withheld */

/* The newest packet of such audio. All zeros: none yet. */
struct gap {
    bool bound, after_event;
    uint8_t type;
    enum codec codec;
    uint32_t ssrc, next, step; /* the rtp_timestamp that would follow; how long the newest packet was */
    int64_t came_ms, passed_ms;
    int64_t may_fill; /* beside one packet: the time that has passed, less the time that was filled */
};

/* Packets of ours that leave one after another, all as long as the newest of the customer's but the
 * last. */
struct filling {
    int count;
    uint16_t seq;
    uint32_t last;
    struct gap of; /* as it was before them */
};

/* False: the packet comes late, is of a time that was filled, or of another SSRC while this one
 * speaks. */
bool gap_accepts(const struct gap *gap, uint32_t ssrc, uint32_t timestamp, int64_t now_ms);
/* Time passes, which may then be filled. */
void gap_let_pass(struct gap *gap, int64_t now_ms);
/* How many units of the rtp_timestamp the next filling has; 0: none is missing. `event`: that time
 * is an event's. */
uint32_t gap_lacks(const struct gap *gap, uint32_t timestamp, bool event);
/* One packet more of `ticks` units; `seq`: the number under which the first leaves. */
void gap_fill(struct gap *gap, struct filling *filling, uint32_t ticks, uint16_t seq);
/* Writes the next packet. Returns its octets; 0: there is none. */
size_t gap_next_filling(struct filling *filling, uint8_t out[QUEUE_PACKET]);

/* Gives the numbers that media/reference/gap_fill.py has, too. */
void gap_constants(const struct constant_sink *sink);

#endif
