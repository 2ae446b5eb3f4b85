/* RTP packets, read with bounds checked. The twin of media/formats/rtp.py. */
#include "rtp/rtp.h"

#include "rtp/wire.h"

bool rtp_parse(const uint8_t *packet, size_t length, struct rtp *out) {
    if (length < RTP_HEADER || packet[0] >> 6 != 2)
        return false;
    size_t start = RTP_HEADER + 4 * (size_t)(packet[0] & 0x0F), end = length;
    if (start > end)
        return false;
    if (packet[0] & 0x10) { /* header extension */
        if (end - start < 4)
            return false;
        start += 4 + 4 * (size_t)get16(packet + start + 2);
        if (start > end)
            return false;
    }
    if (packet[0] & 0x20) { /* padding: the last byte counts itself */
        size_t padding = end > start ? packet[end - 1] : 0;
        if (padding == 0 || padding > end - start)
            return false;
        end -= padding;
    }
    *out = (struct rtp){
        .type = packet[1] & 0x7F,
        .marker = packet[1] >> 7,
        .seq = get16(packet + 2),
        .timestamp = get32(packet + 4),
        .ssrc = get32(packet + 8),
        .start = start,
        .end = end,
    };
    return true;
}

/* RFC 5761 section 4. */
bool rtp_is_rtcp(const struct rtp *rtp) { return rtp->type >= 64 && rtp->type <= 95; }

void rtp_put_header(uint8_t *out, const struct rtp *rtp) {
    out[0] = 0x80; /* version 2 */
    out[1] = (uint8_t)(rtp->marker << 7 | rtp->type);
    put16(out + 2, rtp->seq);
    put32(out + 4, rtp->timestamp);
    put32(out + 8, rtp->ssrc);
}

void rtp_constants(const struct constant_sink *sink) { CONSTANTS(sink, RTP_HEADER); }
