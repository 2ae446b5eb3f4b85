/* RTP and RTCP as they come (RFC 3550 sections 5.1 and 6): bounds-checked readers. The twin of media/formats/rtp.py. */
#include "rtp/wire.h"

bool rtp_parse(const uint8_t *packet, size_t length, struct rtp *out) {
    if (length < 12 || packet[0] >> 6 != 2)
        return false;
    size_t start = 12 + 4 * (size_t)(packet[0] & 0x0F), end = length;
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

bool rtp_is_rtcp(const struct rtp *rtp) { return rtp->type >= 64 && rtp->type <= 95; } /* RFC 5761 section 4 */

bool rtcp_is(const uint8_t *packet, size_t length) {
    return length >= 4 && packet[0] >> 6 == 2 && packet[1] >= 192 && packet[1] <= 223;
}

enum { SENDER_REPORT = 200, RECEIVER_REPORT = 201 };

size_t rtcp_reports(const uint8_t *packet, size_t length) {
    size_t at = 0, reports = 0;
    while (at < length) {
        if (length - at < 4 || packet[at] >> 5 != 4) /* version 2, no padding */
            return 0;
        size_t count = packet[at] & 0x1F, size = 4 + 4 * (size_t)get16(packet + at + 2);
        uint8_t kind = packet[at + 1];
        if (size > length - at)
            return 0;
        if (reports == at && (kind == SENDER_REPORT || kind == RECEIVER_REPORT)) {
            if (size != (kind == SENDER_REPORT ? 28 : 8) + 24 * count) /* a profile-specific extension */
                return 0;
            reports += size;
        }
        at += size;
    }
    return reports;
}

bool rtcp_reception(const uint8_t *packet, size_t length, uint64_t *lost, uint64_t *jitter) {
    size_t end = rtcp_reports(packet, length);
    for (size_t at = 0; at < end; at += 4 + 4 * (size_t)get16(packet + at + 2)) {
        if ((packet[at] & 0x1F) == 0)
            continue;
        const uint8_t *block = packet + at + (packet[at + 1] == SENDER_REPORT ? 28 : 8);
        uint32_t total = get32(block + 4) & 0xFFFFFF;
        *lost = total & 0x800000 ? 0 : total; /* negative: more duplicates than losses */
        *jitter = get32(block + 12);
        return true;
    }
    return false;
}
