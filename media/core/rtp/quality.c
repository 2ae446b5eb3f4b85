/* How a stream arrives. The twin of media/reference/quality.py, where the reasons stand. */
#include "core.h"

#include <stdlib.h>

enum { MAX_DROPOUT = 3000, MAX_MISORDER = 100 };

static uint64_t expected(const struct arrivals *arrivals) {
    return arrivals->before + (arrivals->bound ? arrivals->highest - arrivals->base + 1 : 0);
}

static void begin(struct arrivals *arrivals, uint32_t ssrc, uint16_t seq) {
    arrivals->before = expected(arrivals);
    arrivals->bound = true;
    arrivals->ssrc = ssrc;
    arrivals->base = arrivals->highest = seq;
    arrivals->jumped = arrivals->measured = false;
}

static bool counts(struct arrivals *arrivals, uint16_t seq) {
    uint16_t ahead = (uint16_t)(seq - arrivals->highest);
    if (ahead < MAX_DROPOUT) {
        arrivals->highest += ahead;
        return ahead > 0;
    }
    if (ahead > 0x10000 - MAX_MISORDER)
        return true;
    if (arrivals->jumped && seq == arrivals->bad) {
        begin(arrivals, arrivals->ssrc, seq);
        return true;
    }
    arrivals->jumped = true;
    arrivals->bad = (uint16_t)(seq + 1);
    return false;
}

static void measure(struct arrivals *arrivals, uint32_t timestamp, int clock, int64_t now_ms) {
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

void arrivals_take(struct arrivals *arrivals, const struct rtp *rtp, int clock, int64_t now_ms, bool audio) {
    if (clock == 0 || (!audio && !(arrivals->bound && rtp->ssrc == arrivals->ssrc)))
        return;
    if (!arrivals->bound || rtp->ssrc != arrivals->ssrc)
        begin(arrivals, rtp->ssrc, rtp->seq);
    else if (!counts(arrivals, rtp->seq))
        return;
    arrivals->came++;
    if (audio)
        measure(arrivals, rtp->timestamp, clock, now_ms);
}

void arrivals_tell(const struct arrivals *arrivals, struct counters *counters) {
    counters->expected = expected(arrivals);
    counters->missing = counters->expected > arrivals->came ? counters->expected - arrivals->came : 0;
    counters->arrival_jitter =
        arrivals->clock > 0 ? (uint64_t)arrivals->jitter * 1000000 / (16 * (uint64_t)arrivals->clock) : 0;
}
