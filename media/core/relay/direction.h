/* One direction of SRTP: what libsrtp knows of it, the indices that were used, and what may not be
 * used again. */
#ifndef TONEWALL_RELAY_DIRECTION_H
#define TONEWALL_RELAY_DIRECTION_H

#include "relay/indices.h"
#include "relay/master_key.h"

#include <srtp2/srtp.h>
#include <stdbool.h>
#include <stdint.h>

/* The arrays have the places of `indices`. */
struct direction {
    struct indices *indices;
    uint64_t known, placed; /* bit i: libsrtp has state of it; and knows its rollover counter */
    struct index floors[SRTP_SOURCES]; /* nothing below them is sealed or opened */
    uint32_t skipped[SRTP_SOURCES]; /* indices of SRTCP that were passed over */
};

/* What a direction with a new key begins with: where it `is_first`, the indices of the process
 * before this one if they are of the key; or none. 0 or -errno; -EKEYREJECTED: the key was in use,
 * and its indices are not known. */
int direction_begin(struct direction *direction, struct indices *indices, srtp_t session, bool is_first,
                    uint64_t *fingerprint);
/* Forgets the indices of another key. */
void direction_settle(const struct direction *direction, bool is_first, uint64_t fingerprint);
/* The place of a new SSRC, of which libsrtp makes its state itself; -1: there is no room. */
int direction_add(struct direction *direction, uint32_t ssrc);
/* Has libsrtp go on with an SSRC of the process before this one. */
bool direction_go_on(struct direction *direction, int at, srtp_t session, struct master_key *key);
/* Has libsrtp number the next packet of RTP so, where it does not know the rollover counter yet. */
void direction_place(const struct direction *direction, int at, srtp_t session, uint64_t guess);
/* Notes that libsrtp knows the rollover counter of an SSRC. */
void direction_placed(struct direction *direction, int at);
/* libsrtp counts SRTCP itself, from 1, and cannot be given a number: indices are used up by packets
 * that nobody gets. False: it is not that far yet. */
bool direction_skip_rtcp(struct direction *direction, int at, srtp_t session);

#endif
