/* What the parts of the decision share: _rtp.c, _track.c, _press.c, _mask.c. */
#ifndef TONEWALL_DECIDE_H
#define TONEWALL_DECIDE_H

#include "_core.h"

static inline uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static inline uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }
static inline void put16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* --- _track.c (media/sequence.py) -------------------------------------------------------------------------------------- */

/* A recording is played again: what looks late or doubled is new. */
void track_replay(struct mask *mask, uint32_t ssrc, uint16_t seq);
/* Whether the packet may leave, and then as which sequence number. */
bool track_pass(struct mask *mask, uint32_t ssrc, uint16_t seq, bool withhold, uint16_t *leaves_as);
/* What fills a gap in time takes the next number. False: the SSRC is forgotten. */
bool track_insert(struct mask *mask, uint32_t ssrc, uint16_t *leaves_as);

/* --- _press.c (media/reassembly.py) ------------------------------------------------------------------------------------ */

struct sighting {
    bool is_new, replayed, withheld;
};

struct sighting press_sight(struct mask *mask, const struct rtp *rtp, const uint8_t *payload, int64_t now_ms);

#endif
