/* RTCP packets, read with bounds checked. The twin of media/formats/rtp.py. */
#include "rtp/rtcp.h"

#include "rtp/wire.h"

bool rtcp_is(const uint8_t *packet, size_t length) {
    return length >= 4 && packet[0] >> 6 == 2 && packet[1] >= 192 && packet[1] <= 223;
}

size_t rtcp_leading_reports(const uint8_t *packet, size_t length) {
    size_t at = 0, reports = 0;
    while (at < length) {
        if (length - at < 4 || packet[at] >> 5 != 4) /* version 2, no padding */
            return 0;
        size_t count = packet[at] & 0x1F, size = 4 + 4 * (size_t)get16(packet + at + 2);
        uint8_t kind = packet[at + 1];
        if (size > length - at)
            return 0;
        if (reports == at && (kind == RTCP_SENDER_REPORT || kind == RTCP_RECEIVER_REPORT)) {
            /* A profile-specific extension. */
            if (size !=
                (kind == RTCP_SENDER_REPORT ? RTCP_SENDER_HEAD : RTCP_RECEIVER_HEAD) + RTCP_BLOCK * count)
                return 0;
            reports += size;
        }
        at += size;
    }
    return reports;
}

bool rtcp_reception(const uint8_t *packet, size_t length, uint64_t *lost, uint64_t *jitter) {
    size_t end = rtcp_leading_reports(packet, length);
    for (size_t at = 0; at < end; at += 4 + 4 * (size_t)get16(packet + at + 2)) {
        if ((packet[at] & 0x1F) == 0)
            continue;
        const uint8_t *block =
            packet + at + (packet[at + 1] == RTCP_SENDER_REPORT ? RTCP_SENDER_HEAD : RTCP_RECEIVER_HEAD);
        uint32_t total = get32(block + 4) & 0xFFFFFF;
        *lost = total & 0x800000 ? 0 : total; /* negative: more duplicates than losses */
        *jitter = get32(block + 12);
        return true;
    }
    return false;
}

void rtcp_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, RTCP_SENDER_REPORT, RTCP_RECEIVER_REPORT);
}
