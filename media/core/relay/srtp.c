/* SRTP (RFC 3711) of one leg, with the suites of RFC 4568, RFC 6188 and RFC 7714. The cryptography
 * is libsrtp2's.
 *
 * Rule 1: a packet that does not authenticate is not counted as the peer's, locks no source and
 *         creates no state.
 * Rule 2: a new key of the peer's does not cut off packets that it still sends with the old one:
 *         both are tried until a packet with the new one has come. Whether the rollover counter
 *         goes on is the peer's choice (RFC 3711 section 3.3.1 against RFC 4568 section 7.1.4):
 *         both are tried.
 * Rule 3: we seal nothing twice with one index: a packet that was doubled on its way leaves
 *         once.
 * Rule 4: nor does the successor of a killed process. It seals and opens nothing at or below the
 *         highest index that was noted (`floors`), which is noted before a packet is sealed; and it
 *         begins with no key that was in use once, where its indices are not known any more. */
#include "relay/srtp.h"

#include "relay/master_key.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"
#include "rtp/wire.h"

#include <errno.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)SRTP_ROOM >= (int)SRTP_MAX_TRAILER_LEN - (int)SRTP_MAX_MKI_LEN, "no MKI is sent");

/* SKIP_STEP: indices of SRTCP that are passed over for one packet, in about a millisecond;
 * SKIP_MAX: in all: more than ten days of reports. */
enum { SKIP_STEP = 1024, SKIP_MAX = 1 << 18 };

/* One direction. The arrays have the places of `indices`. */
struct direction {
    struct indices *indices;
    uint64_t known, placed; /* bit i: libsrtp has state of it; and knows its rollover counter */
    struct index floors[SRTP_SOURCES]; /* nothing below them is sealed or opened */
    uint32_t skipped[SRTP_SOURCES]; /* indices of SRTCP that were passed over */
};

enum candidate { NEW_KEY, NEW_KEY_CONTINUED, OLD_KEY, CANDIDATE_KEYS };

struct crypto {
    struct master_key in_key, out_key;
    srtp_t in[CANDIDATE_KEYS], out; /* NULL: not in use */
    uint32_t ssrc; /* of the peer's newest RTP packet */
    struct direction inbound, outbound;
};

bool crypto_prepare(void) { return srtp_init() == srtp_err_status_ok; }

/* --- sessions of libsrtp ---------------------------------------------------------------------- */

static void end_session(srtp_t *session) {
    if (*session != NULL)
        srtp_dealloc(*session);
    *session = NULL;
}

void crypto_free(struct crypto *crypto) {
    if (crypto == NULL)
        return;
    for (int i = 0; i < CANDIDATE_KEYS; i++)
        end_session(&crypto->in[i]);
    end_session(&crypto->out);
    explicit_bzero(crypto, sizeof *crypto);
    free(crypto);
}

static srtp_t move_session(srtp_t *from) {
    srtp_t session = *from;
    *from = NULL;
    return session;
}

/* The session of the peer's newest packet. */
static srtp_t *newest_session(struct crypto *crypto) {
    for (int i = OLD_KEY; i > NEW_KEY; i--)
        if (crypto->in[i] != NULL)
            return &crypto->in[i];
    return &crypto->in[NEW_KEY];
}

void crypto_load(void) {
    static srtp_t kept; /* of nobody's: with its last session libsrtp unloads all again */
    static const uint8_t zeros[SRTP_KEY_MAX];
    struct master_key key = {0};
    if (kept == NULL && master_key_read(&key, "AEAD_AES_256_GCM", zeros, 44))
        kept = master_key_session(&key, ssrc_any_outbound);
}

/* What a direction with a new key begins with: the indices of the process before this one where
 * they are of the key, or none. 0 or -errno. */
static int begin_direction(struct direction *direction, struct indices *indices, srtp_t session,
                           bool is_first, uint64_t *fingerprint) {
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

/* Forgets the indices of another key. */
static void settle_direction(const struct direction *direction, bool is_first, uint64_t fingerprint) {
    struct indices *indices = direction->indices;
    if (fingerprint != 0 && !(is_first && indices_are_of(indices, fingerprint)))
        indices_begin(indices, fingerprint);
}

/* Has the peer's packets tried with the keys that they may be sealed with. */
static void keep_candidates(struct crypto *crypto, struct crypto *before) {
    uint32_t rollovers = 0;
    srtp_get_stream_roc(*newest_session(before), before->ssrc, &rollovers);
    if (rollovers > 0)
        crypto->in[NEW_KEY_CONTINUED] = master_key_continued(&crypto->in_key, before->ssrc, rollovers);
    crypto->in[OLD_KEY] = move_session(newest_session(before));
}

static bool read_keys(struct crypto *crypto, const struct crypto_keys *keys) {
    return master_key_read(&crypto->in_key, keys->suite, keys->in, keys->in_length) &&
           master_key_read(&crypto->out_key, keys->suite, keys->out, keys->out_length);
}

struct crypto *crypto_change(struct crypto *before, const struct crypto_keys *keys, struct indices *in,
                             struct indices *out) {
    struct crypto *crypto = calloc(1, sizeof *crypto);
    if (crypto == NULL)
        return NULL;
    if (!read_keys(crypto, keys)) {
        crypto_free(crypto);
        errno = EINVAL;
        return NULL;
    }
    bool is_first = before == NULL;
    bool same_in = !is_first && master_key_is_same(&before->in_key, &crypto->in_key);
    bool same_out = !is_first && master_key_is_same(&before->out_key, &crypto->out_key);
    uint64_t in_print = 0, out_print = 0;
    int error = 0;
    if (!same_in) {
        crypto->in[NEW_KEY] = master_key_session(&crypto->in_key, ssrc_any_inbound);
        error = begin_direction(&crypto->inbound, in, crypto->in[NEW_KEY], is_first, &in_print);
    }
    if (!same_out && error == 0) {
        crypto->out = master_key_session(&crypto->out_key, ssrc_any_outbound);
        error = begin_direction(&crypto->outbound, out, crypto->out, is_first, &out_print);
    }
    if (error != 0) {
        crypto_free(crypto);
        errno = -error;
        return NULL;
    }
    settle_direction(&crypto->inbound, is_first, in_print);
    settle_direction(&crypto->outbound, is_first, out_print);
    if (is_first) {
        crypto->ssrc = in->count > 0 ? in->each[in->count - 1].ssrc : 0;
        return crypto;
    }
    crypto->ssrc = before->ssrc;
    if (same_in) {
        crypto->inbound = before->inbound;
        for (int i = 0; i < CANDIDATE_KEYS; i++)
            crypto->in[i] = move_session(&before->in[i]);
    } else {
        keep_candidates(crypto, before);
    }
    if (same_out) {
        crypto->outbound = before->outbound;
        crypto->out = move_session(&before->out);
    }
    crypto_free(before);
    return crypto;
}

/* --- packets ---------------------------------------------------------------------------------- */

static uint32_t ssrc_of(const uint8_t *packet, bool is_rtp) { return get32(packet + (is_rtp ? 8 : 4)); }

static uint64_t bit(int at) { return UINT64_C(1) << at; }

/* The place of a new SSRC, of which libsrtp makes its state itself; -1: there is no room. */
static int add_source(struct direction *direction, uint32_t ssrc) {
    int at = indices_add(direction->indices, ssrc);
    if (at >= 0) {
        direction->known |= bit(at);
        direction->placed |= bit(at);
    }
    return at;
}

/* Has libsrtp go on with an SSRC of the process before this one. */
static bool go_on(struct direction *direction, int at, srtp_t session, struct master_key *key) {
    if (direction->known & bit(at))
        return true;
    if (!master_key_add(key, session, direction->indices->each[at].ssrc))
        return false;
    direction->known |= bit(at);
    return true;
}

/* Has libsrtp number the next packet of RTP so, where it does not know the rollover counter yet. */
static void place(const struct direction *direction, int at, srtp_t session, uint64_t guess) {
    if (!(direction->placed & bit(at)))
        srtp_set_stream_roc(session, direction->indices->each[at].ssrc, (uint32_t)(guess >> 16));
}

/* libsrtp counts SRTCP itself, from 1, and cannot be given a number: indices are used up by packets
 * that nobody gets. False: it is not that far yet. */
static bool skip_rtcp(struct direction *direction, int at, srtp_t session) {
    const struct index *floor = &direction->floors[at];
    uint32_t *skipped = &direction->skipped[at];
    if (floor->rtcp > SKIP_MAX)
        return false;
    for (int left = SKIP_STEP; floor->rtcp > *skipped + 1 && left > 0; left--) {
        uint8_t packet[RTCP_RECEIVER_HEAD + SRTP_ROOM] = {0x80, 201, 0, 1};
        int size = RTCP_RECEIVER_HEAD;
        put32(packet + 4, floor->ssrc);
        if (srtp_protect_rtcp(session, packet, &size) != srtp_err_status_ok)
            return false;
        ++*skipped;
    }
    return floor->rtcp <= *skipped + 1;
}

static bool unprotect(srtp_t session, bool is_rtp, uint8_t *packet, size_t *length) {
    int size = (int)*length;
    srtp_err_status_t status =
        is_rtp ? srtp_unprotect(session, packet, &size) : srtp_unprotect_rtcp(session, packet, &size);
    if (status != srtp_err_status_ok || size < 0)
        return false;
    *length = (size_t)size;
    return true;
}

/* Notes what was opened by the newest key. `next`: one more than its index. */
static void note_opened(struct direction *direction, bool is_rtp, uint32_t ssrc, uint64_t next) {
    int at = indices_find(direction->indices, ssrc);
    if (at < 0 && (at = add_source(direction, ssrc)) < 0)
        return;
    if (is_rtp) {
        direction->placed |= bit(at);
        indices_note_rtp(&direction->indices->each[at], next);
    } else {
        indices_note_rtcp(&direction->indices->each[at], (uint32_t)next);
    }
}

/* The first packet with the new key has come: the other candidates are not needed any more. Returns
 * one more than the packet's index. */
static uint64_t settle(struct crypto *crypto, int found, uint32_t ssrc, uint16_t seq) {
    srtp_t session = move_session(&crypto->in[found]);
    uint32_t rollovers = 0;
    for (int other = 0; other < CANDIDATE_KEYS; other++)
        end_session(&crypto->in[other]);
    crypto->in[NEW_KEY] = session;
    srtp_get_stream_roc(session, ssrc, &rollovers);
    return ((uint64_t)rollovers << 16 | seq) + 1;
}

bool crypto_open(struct crypto *crypto, bool is_rtp, uint8_t *packet, size_t *length, uint8_t *scratch) {
    if (*length < 12)
        return false;
    struct direction *direction = &crypto->inbound;
    uint32_t ssrc = ssrc_of(packet, is_rtp);
    uint16_t seq = get16(packet + 2);
    int at = indices_find(direction->indices, ssrc);
    if (at < 0 && direction->indices->count >= SRTP_SOURCES)
        return false;
    bool is_only = crypto->in[NEW_KEY_CONTINUED] == NULL && crypto->in[OLD_KEY] == NULL, is_open = false;
    uint64_t next = is_rtp ? indices_guess(at < 0 ? 0 : direction->indices->each[at].rtp, seq) + 1
                           : (uint64_t)master_key_rtcp_index(&crypto->in_key, packet, *length) + 1;
    if (at >= 0 && is_only) {
        const struct index *floor = &direction->floors[at];
        if (next <= (is_rtp ? floor->rtp : floor->rtcp) ||
            !go_on(direction, at, crypto->in[NEW_KEY], &crypto->in_key))
            return false;
        if (is_rtp)
            place(direction, at, crypto->in[NEW_KEY], next - 1);
    }
    size_t size = *length;
    if (!is_only)
        memcpy(scratch, packet, size);
    for (int i = 0; i < CANDIDATE_KEYS && !is_open; i++) {
        if (crypto->in[i] == NULL)
            continue;
        if (!is_only)
            memcpy(packet, scratch, size); /* an attempt that failed may have changed it */
        *length = size;
        is_open = unprotect(crypto->in[i], is_rtp, packet, length);
        if (is_open && i != OLD_KEY && is_rtp && !is_only) {
            next = settle(crypto, i, ssrc, seq);
            is_only = true;
            explicit_bzero(scratch, size);
        }
    }
    if (!is_only)
        explicit_bzero(scratch, size);
    if (is_open) {
        note_opened(direction, is_rtp, ssrc, is_only ? next : 0);
        if (is_rtp)
            crypto->ssrc = ssrc;
    }
    return is_open;
}

bool crypto_seal(struct crypto *crypto, bool is_rtp, uint8_t *packet, size_t *length) {
    if (*length < (size_t)(is_rtp ? RTP_HEADER : RTCP_RECEIVER_HEAD))
        return false;
    struct direction *direction = &crypto->outbound;
    uint32_t ssrc = ssrc_of(packet, is_rtp);
    int at = indices_find(direction->indices, ssrc);
    if (at < 0 && (at = add_source(direction, ssrc)) < 0)
        return false;
    struct index *index = &direction->indices->each[at];
    if (!go_on(direction, at, crypto->out, &crypto->out_key))
        return false;
    if (is_rtp) {
        uint64_t guess = indices_guess(index->rtp, get16(packet + 2));
        if (guess < direction->floors[at].rtp)
            return false;
        indices_note_rtp(index, guess + 1);
        place(direction, at, crypto->out, guess);
        direction->placed |= bit(at);
    } else {
        if (!skip_rtcp(direction, at, crypto->out))
            return false;
        indices_note_rtcp(index, (index->rtcp > 0 ? index->rtcp : 1) + 1);
    }
    int size = (int)*length;
    srtp_err_status_t status =
        is_rtp ? srtp_protect(crypto->out, packet, &size) : srtp_protect_rtcp(crypto->out, packet, &size);
    if (status != srtp_err_status_ok || size < 0)
        return false;
    *length = (size_t)size;
    return true;
}
