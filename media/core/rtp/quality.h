/* How a stream arrives: expected, missing, jitter (media/reference/quality.py). */
#ifndef TONEWALL_RTP_QUALITY_H
#define TONEWALL_RTP_QUALITY_H

#include "constants.h"
#include "rtp/rtp.h"

/* RFC 3550 appendix A.1, A.3 and A.8. All zeros: nothing has come yet. */
struct arrivals {
    bool bound, jumped, measured;
    uint16_t bad;
    uint32_t ssrc, timestamp, transit, jitter; /* the last in units of the rtp_timestamp, times 16 */
    int clock;
    uint64_t came, before, base, highest;
};

struct arrival_quality {
    uint64_t expected, missing, jitter_us;
};

/* `clock`: of the rtp_timestamps, in Hz; 0: the packet is not counted. `audio`: its rtp_timestamp
 * is the time of sampling. */
void quality_add(struct arrivals *arrivals, const struct rtp *rtp, int clock, int64_t now_ms, bool audio);
/* The figures of all packets so far. */
struct arrival_quality quality_of(const struct arrivals *arrivals);

/* Gives the numbers that media/reference/quality.py has, too. */
void quality_constants(const struct constant_sink *sink);

#endif
