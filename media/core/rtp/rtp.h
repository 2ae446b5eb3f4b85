/* RTP packets (RFC 3550 section 5.1): a bounds-checked reader, and the header of the packets that
 * we build. */
#ifndef TONEWALL_RTP_RTP_H
#define TONEWALL_RTP_RTP_H

#include "constants.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RTP_HEADER = 12 }; /* octets of a header without CSRCs and extension */

struct rtp {
    uint8_t type; /* the payload type */
    bool marker;
    uint16_t seq;
    uint32_t timestamp, ssrc;
    size_t start, end; /* of the payload in the packet, without padding */
};

/* False: the octets are no RTP packet; `out` is then unchanged. */
bool rtp_parse(const uint8_t *packet, size_t length, struct rtp *out);
/* Whether a packet that parses as RTP is RTCP on the RTP port (RFC 5761 section 4). */
bool rtp_is_rtcp(const struct rtp *rtp);
/* Writes RTP_HEADER octets with the type, marker, number, rtp_timestamp and SSRC of `rtp`. */
void rtp_put_header(uint8_t *out, const struct rtp *rtp);

/* How far `a` is ahead of `b`, negative where it is behind: sequence numbers and rtp_timestamps
 * wrap (RFC 1982). */
static inline int rtp_seq_ahead(uint16_t a, uint16_t b) { return (int16_t)(uint16_t)(a - b); }
static inline int32_t rtp_ticks_ahead(uint32_t a, uint32_t b) { return (int32_t)(a - b); }

/* Gives the numbers that media/formats/rtp.py has, too. */
void rtp_constants(const struct constant_sink *sink);

#endif
