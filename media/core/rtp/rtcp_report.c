/* RTCP that stays true where a mask has changed a stream. The twin of media/reference/rtcp_report.py, where the reasons stand. */
#include "rtp/wire.h"

enum { SENDER = 200, RECEIVER = 201, REPORT_BLOCK = 24 };

/* The next sender or receiver report from `*at` on; `*at` then lies behind it. NULL: there is none. */
static uint8_t *next_report(uint8_t *compound, size_t length, size_t *at) {
    while (length - *at >= 4 && compound[*at] >> 6 == 2) {
        uint8_t *report = compound + *at;
        size_t size = 4 + 4 * (size_t)get16(report + 2), blocks = REPORT_BLOCK * (size_t)(report[0] & 0x1F);
        if (size > length - *at)
            return NULL;
        *at += size;
        if ((report[1] == SENDER && size >= 28 + blocks) || (report[1] == RECEIVER && size >= 8 + blocks))
            return report;
    }
    return NULL;
}

void report_as_sent(const struct mask *mask, uint8_t *compound, size_t length) {
    size_t at = 0;
    for (uint8_t *report; (report = next_report(compound, length, &at)) != NULL;) {
        const struct track *track = track_of(mask, get32(report + 4));
        if (report[1] != SENDER || track == NULL)
            continue;
        put32(report + 20, get32(report + 20) - track->packets);
        put32(report + 24, get32(report + 24) - track->octets);
    }
}

void report_as_heard(const struct mask *mask, uint8_t *compound, size_t length) {
    size_t at = 0;
    for (uint8_t *report; (report = next_report(compound, length, &at)) != NULL;) {
        uint8_t *block = report + (report[1] == SENDER ? 28 : 8);
        for (int left = report[0] & 0x1F; left > 0; left--, block += REPORT_BLOCK)
            put32(block + 8, track_numbered(mask, get32(block), get32(block + 8)));
    }
}
