/* One direction of SRTP. */
#include "relay/direction.h"

#include "rtp/rtcp.h"
#include "rtp/wire.h"

#include <errno.h>
#include <string.h>

/* SKIP_STEP: indices of SRTCP that are passed over for one packet, in about a millisecond;
 * SKIP_MAX: in all: more than ten days of reports. */
enum { SKIP_STEP = 1024, SKIP_MAX = 1 << 18 };

int direction_begin(struct direction *direction, struct indices *indices, srtp_t session, bool is_first,
                    uint64_t *fingerprint) {
    *fingerprint = session == NULL ? 0 : master_key_fingerprint(session);
    if (*fingerprint == 0)
        return -ENOMEM;
    direction->indices = indices;
    if (!is_first)
        return 0;
    if (indices_are_of(indices, *fingerprint))
        memcpy(direction->floors, indices->each, indices->count * sizeof *direction->floors);
    else if (indices_had(indices, *fingerprint))
        return -EKEYREJECTED;
    return 0;
}

void direction_settle(const struct direction *direction, bool is_first, uint64_t fingerprint) {
    struct indices *indices = direction->indices;
    if (fingerprint != 0 && !(is_first && indices_are_of(indices, fingerprint)))
        indices_begin(indices, fingerprint);
}

static uint64_t bit(int at) { return UINT64_C(1) << at; }

int direction_add(struct direction *direction, uint32_t ssrc) {
    int at = indices_add(direction->indices, ssrc);
    if (at >= 0) {
        direction->known |= bit(at);
        direction->placed |= bit(at);
    }
    return at;
}

bool direction_go_on(struct direction *direction, int at, srtp_t session, struct master_key *key) {
    if (direction->known & bit(at))
        return true;
    if (!master_key_add(key, session, direction->indices->each[at].ssrc))
        return false;
    direction->known |= bit(at);
    return true;
}

void direction_place(const struct direction *direction, int at, srtp_t session, uint64_t guess) {
    if (!(direction->placed & bit(at)))
        srtp_set_stream_roc(session, direction->indices->each[at].ssrc, (uint32_t)(guess >> 16));
}

bool direction_skip_rtcp(struct direction *direction, int at, srtp_t session) {
    const struct index *floor = &direction->floors[at];
    uint32_t *skipped = &direction->skipped[at];
    if (floor->rtcp > SKIP_MAX)
        return false;
    for (int left = SKIP_STEP; floor->rtcp > *skipped + 1 && left > 0; left--) {
        uint8_t packet[RTCP_RECEIVER_HEAD + SRTP_MAX_TRAILER_LEN] = {0x80, 201, 0, 1};
        int size = RTCP_RECEIVER_HEAD;
        put32(packet + 4, floor->ssrc);
        if (srtp_protect_rtcp(session, packet, &size) != srtp_err_status_ok)
            return false;
        ++*skipped;
    }
    return floor->rtcp <= *skipped + 1;
}

void direction_placed(struct direction *direction, int at) { direction->placed |= bit(at); }
