/* Redundant payloads (RFC 2198), with bounds checked (media/reference/red.py). */
#ifndef TONEWALL_RTP_RED_H
#define TONEWALL_RTP_RED_H

#include "constants.h"
#include "rtp/rtp.h"

enum { RED_BLOCKS = 8 }; /* more than any sender has use for */

/* A payload within the packet that would be a packet of its own. */
struct red_block {
    uint8_t type;
    bool copy; /* it is redundant: sent before */
    uint32_t timestamp;
    size_t start, size; /* in the packet */
};

/* How far back redundancy may still hold masked events. */
struct red_reach {
    bool masked, known;
    uint32_t ssrc, ended;
};

/* How many blocks there are, the primary last; 0: the payload is malformed. */
int red_unwrap(const uint8_t *packet, const struct rtp *rtp, struct red_block blocks[RED_BLOCKS]);
/* A packet came under the mask. */
void red_reach_mask(struct red_reach *reach);
/* Whether a block is older than the end of the mask, or may be (`count` 0: malformed). */
bool red_reach_is_back(struct red_reach *reach, const struct rtp *rtp, const struct red_block *blocks,
                       int count);

/* Gives the numbers that media/reference/red.py has, too. */
void red_constants(const struct constant_sink *sink);

#endif
