/* How a stream arrives (RFC 3550 appendix A). The reasons are in media/reference/quality.py. */
#include "rtp/quality.h"

#include <stdlib.h>

enum { QUALITY_DROPOUT_MAX = 3000, QUALITY_MISORDER_MAX = 100 };

/* RFC 3550 appendix A.3. */
static uint64_t count_expected(const struct arrivals *arrivals) {
    return arrivals->before + (arrivals->bound ? arrivals->highest - arrivals->base + 1 : 0);
}

static void begin_arrivals(struct arrivals *arrivals, uint32_t ssrc, uint16_t seq) {
    arrivals->before = count_expected(arrivals);
    arrivals->bound = true;
    arrivals->ssrc = ssrc;
    arrivals->base = arrivals->highest = seq;
    arrivals->jumped = arrivals->measured = false;
}

/* RFC 3550 appendix A.1. */
static bool counts_arrival(struct arrivals *arrivals, uint16_t seq) {
    uint16_t ahead = (uint16_t)(seq - arrivals->highest);
    if (ahead < QUALITY_DROPOUT_MAX) {
        arrivals->highest += ahead;
        return ahead > 0;
    }
    if (ahead > 0x10000 - QUALITY_MISORDER_MAX)
        return true;
    if (arrivals->jumped && seq == arrivals->bad) {
        begin_arrivals(arrivals, arrivals->ssrc, seq);
        return true;
    }
    arrivals->jumped = true;
    arrivals->bad = (uint16_t)(seq + 1);
    return false;
}

/* RFC 3550 appendix A.8. */
static void measure_jitter(struct arrivals *arrivals, uint32_t timestamp, int clock, int64_t now_ms) {
    if (clock != arrivals->clock) {
        arrivals->clock = clock;
        arrivals->jitter = 0;
        arrivals->measured = false;
    }
    uint32_t transit = (uint32_t)(now_ms * clock / 1000) - timestamp;
    if (arrivals->measured && timestamp == arrivals->timestamp)
        return;
    int64_t moved = llabs((int64_t)(int32_t)(transit - arrivals->transit));
    if (arrivals->measured && moved < clock)
        arrivals->jitter = (uint32_t)(arrivals->jitter + moved - ((arrivals->jitter + 8) >> 4));
    arrivals->timestamp = timestamp;
    arrivals->transit = transit;
    arrivals->measured = true;
}

void quality_add(struct arrivals *arrivals, const struct rtp *rtp, int clock, int64_t now_ms, bool audio) {
    if (clock == 0 || (!audio && !(arrivals->bound && rtp->ssrc == arrivals->ssrc)))
        return;
    if (!arrivals->bound || rtp->ssrc != arrivals->ssrc)
        begin_arrivals(arrivals, rtp->ssrc, rtp->seq);
    else if (!counts_arrival(arrivals, rtp->seq))
        return;
    arrivals->came++;
    if (audio)
        measure_jitter(arrivals, rtp->timestamp, clock, now_ms);
}

struct arrival_quality quality_of(const struct arrivals *arrivals) {
    uint64_t expected = count_expected(arrivals);
    return (struct arrival_quality){
        .expected = expected,
        .missing = expected > arrivals->came ? expected - arrivals->came : 0,
        .jitter_us =
            arrivals->clock > 0 ? (uint64_t)arrivals->jitter * 1000000 / (16 * (uint64_t)arrivals->clock) : 0,
    };
}

void quality_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, QUALITY_DROPOUT_MAX, QUALITY_MISORDER_MAX);
}
