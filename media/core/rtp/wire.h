/* What the parts of the decision share: rtp/rtp.c, rtp/sequence.c, dtmf/reassembly.c, rtp/red.c, rtp/rtcp_report.c, mask/mask.c. */
#ifndef TONEWALL_DECIDE_H
#define TONEWALL_DECIDE_H

#include "core.h"

static inline uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static inline uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }
static inline void put16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}
static inline void put32(uint8_t *at, uint32_t value) {
    put16(at, (uint16_t)(value >> 16));
    put16(at + 2, (uint16_t)value);
}

/* --- rtp/sequence.c (media/reference/sequence.py) -------------------------------------------------------------------------------------- */

/* A recording is played again: what looks late or doubled is new. */
void track_replay(struct mask *mask, uint32_t ssrc, uint16_t seq);
/* Whether the packet may leave, and then as which sequence number. */
bool track_pass(struct mask *mask, uint32_t ssrc, uint16_t seq, bool withhold, uint16_t *leaves_as);
/* What fills a gap in time takes the next number. False: the SSRC is forgotten. */
bool track_insert(struct mask *mask, uint32_t ssrc, uint16_t *leaves_as);
const struct track *track_of(const struct mask *mask, uint32_t ssrc); /* NULL: the SSRC is unknown */
/* What the sender counts does not leave. */
void track_spare(struct mask *mask, uint32_t ssrc, int packets, int octets);
/* The sender's own number for one that left, both extended. */
uint32_t track_numbered(const struct mask *mask, uint32_t ssrc, uint32_t extended);

/* --- dtmf/reassembly.c (media/reference/reassembly.py) ------------------------------------------------------------------------------------ */

enum { ALIVE_MS = 100, NEXT = 3 };
enum what { IS_MORE, IS_NEW, IS_LOST, IS_ANOTHER };

struct arrival { /* one packet of an event. `copy`: it is redundant; `packed`: it stands behind another in its packet */
    bool marker, end, masked, copy, packed;
    uint8_t code;
    uint16_t seq, duration;
    uint32_t ssrc, timestamp; /* when the event began */
    int64_t now_ms;
};

struct sighting { /* `lost`: a press may be missed by it */
    bool is_new, replayed, withheld, lost;
};

struct sighting press_sight(struct mask *mask, const struct arrival *arrival);

/* --- rtp/red.c (media/reference/red.py) --------------------------------------------------------------------------------------------- */

enum { RED_BLOCKS = 8 };

struct block { /* what would be a packet of its own */
    uint8_t type;
    bool copy;
    uint32_t timestamp;
    size_t start, size; /* in the packet */
};

/* How many blocks there are, the primary last; 0: the payload is malformed. */
int red_unwrap(const uint8_t *packet, const struct rtp *rtp, struct block blocks[RED_BLOCKS]);
void reach_mask(struct reach *reach); /* a packet came under the mask */
bool reach_is_back(struct reach *reach, const struct rtp *rtp, const struct block *blocks, int count);

/* --- rtp/rtcp_report.c (media/reference/rtcp_report.py) --------------------------------------------------------------------------------------- */

void report_as_sent(const struct mask *mask, uint8_t *compound, size_t length);  /* the customer's, for the agent */
void report_as_heard(const struct mask *mask, uint8_t *compound, size_t length); /* the agent's, for the customer */

#endif
