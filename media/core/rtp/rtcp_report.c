/* RTCP reports that stay true where a mask has changed a stream. The reasons are in
 * media/reference/rtcp_report.py. */
#include "rtp/rtcp_report.h"

#include "rtp/rtcp.h"
#include "rtp/wire.h"

/* The next sender or receiver report from `*at` on; `*at` then lies behind it. NULL: there is
 * none. */
static uint8_t *next_report(uint8_t *compound, size_t length, size_t *at) {
    while (length - *at >= 4 && compound[*at] >> 6 == 2) {
        uint8_t *report = compound + *at;
        size_t size = 4 + 4 * (size_t)get16(report + 2), blocks = RTCP_BLOCK * (size_t)(report[0] & 0x1F);
        if (size > length - *at)
            return NULL;
        *at += size;
        if ((report[1] == RTCP_SENDER_REPORT && size >= RTCP_SENDER_HEAD + blocks) ||
            (report[1] == RTCP_RECEIVER_REPORT && size >= RTCP_RECEIVER_HEAD + blocks))
            return report;
    }
    return NULL;
}

void rtcp_report_as_sent(const struct tracks *tracks, uint8_t *compound, size_t length) {
    size_t at = 0;
    for (uint8_t *report; (report = next_report(compound, length, &at)) != NULL;) {
        const struct track *track = sequence_track(tracks, get32(report + 4));
        if (report[1] != RTCP_SENDER_REPORT || track == NULL)
            continue;
        put32(report + 20, get32(report + 20) - track->packets);
        put32(report + 24, get32(report + 24) - track->octets);
    }
}

void rtcp_report_as_received(const struct tracks *tracks, uint8_t *compound, size_t length) {
    size_t at = 0;
    for (uint8_t *report; (report = next_report(compound, length, &at)) != NULL;) {
        uint8_t *block = report + (report[1] == RTCP_SENDER_REPORT ? RTCP_SENDER_HEAD : RTCP_RECEIVER_HEAD);
        for (int left = report[0] & 0x1F; left > 0; left--, block += RTCP_BLOCK)
            put32(block + 8, sequence_original(tracks, get32(block), get32(block + 8)));
    }
}
