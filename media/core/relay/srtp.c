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
 *         begins with no key that was in use once, where its indices are not known any more.
 * Rule 5: a key that comes back after another goes on with its indices (`sealed_before.h`). */
#include "relay/srtp.h"

#include "relay/master_key.h"
#include "relay/sealed_before.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"
#include "rtp/wire.h"

#include <errno.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)SRTP_ROOM >= (int)SRTP_MAX_TRAILER_LEN - (int)SRTP_MAX_MKI_LEN, "no MKI is sent");

enum candidate { NEW_KEY, NEW_KEY_CONTINUED, OLD_KEY, CANDIDATE_KEYS };

struct crypto {
    struct master_key in_key;
    srtp_t in[CANDIDATE_KEYS]; /* NULL: not in use */
    uint32_t ssrc; /* of the peer's newest RTP packet */
    struct direction inbound;
    struct sealing out;
    struct sealed_before *before; /* the newest first */
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
    end_session(&crypto->out.session);
    sealed_before_free(crypto->before);
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
           master_key_read(&crypto->out.key, keys->suite, keys->out, keys->out_length);
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
    bool same_out = !is_first && master_key_is_same(&before->out.key, &crypto->out.key);
    struct sealed_before **at = NULL, *again = NULL, *left = NULL;
    uint64_t in_print = 0, out_print = 0;
    int error = 0;
    if (!same_in) {
        crypto->in[NEW_KEY] = master_key_session(&crypto->in_key, ssrc_any_inbound);
        error = direction_begin(&crypto->inbound, in, crypto->in[NEW_KEY], is_first, &in_print);
    }
    if (!is_first && !same_out && error == 0) {
        again = sealed_before_find(&before->before, &crypto->out.key, &at);
        left = calloc(1, sizeof *left);
        error = left == NULL ? -ENOMEM : 0;
    }
    if (!same_out && again == NULL && error == 0) {
        crypto->out.session = master_key_session(&crypto->out.key, ssrc_any_outbound);
        error = direction_begin(&crypto->out.direction, out, crypto->out.session, is_first, &out_print);
        if (error == 0 && !is_first && indices_were_of(out, out_print))
            error = -EKEYREJECTED; /* of the process before this one */
    }
    if (error != 0) {
        free(left);
        crypto_free(crypto);
        errno = -error;
        return NULL;
    }
    direction_settle(&crypto->inbound, is_first, in_print);
    if (is_first) {
        direction_settle(&crypto->out.direction, true, out_print);
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
    if (again != NULL)
        *at = again->older;
    crypto->before = before->before;
    before->before = NULL;
    if (same_out) {
        crypto->out = before->out;
        before->out.session = NULL;
    } else {
        sealed_before_keep(&crypto->before, left, &before->out);
        if (again != NULL)
            sealed_before_resume(again, &crypto->out);
        else
            direction_settle(&crypto->out.direction, false, out_print);
    }
    crypto_free(before);
    return crypto;
}

/* --- packets ---------------------------------------------------------------------------------- */

static uint32_t ssrc_of(const uint8_t *packet, bool is_rtp) { return get32(packet + (is_rtp ? 8 : 4)); }

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
    if (at < 0 && (at = direction_add(direction, ssrc)) < 0)
        return;
    if (is_rtp) {
        direction_placed(direction, at);
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
            !direction_go_on(direction, at, crypto->in[NEW_KEY], &crypto->in_key))
            return false;
        if (is_rtp)
            direction_place(direction, at, crypto->in[NEW_KEY], next - 1);
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
    struct direction *direction = &crypto->out.direction;
    uint32_t ssrc = ssrc_of(packet, is_rtp);
    int at = indices_find(direction->indices, ssrc);
    if (at < 0 && (at = direction_add(direction, ssrc)) < 0)
        return false;
    struct index *index = &direction->indices->each[at];
    if (!direction_go_on(direction, at, crypto->out.session, &crypto->out.key))
        return false;
    if (is_rtp) {
        uint64_t guess = indices_guess(index->rtp, get16(packet + 2));
        if (guess < direction->floors[at].rtp)
            return false;
        indices_note_rtp(index, guess + 1);
        direction_place(direction, at, crypto->out.session, guess);
        direction_placed(direction, at);
    } else {
        if (!direction_skip_rtcp(direction, at, crypto->out.session))
            return false;
        indices_note_rtcp(index, (index->rtcp > 0 ? index->rtcp : 1) + 1);
    }
    srtp_t session = crypto->out.session;
    int size = (int)*length;
    srtp_err_status_t status =
        is_rtp ? srtp_protect(session, packet, &size) : srtp_protect_rtcp(session, packet, &size);
    if (status != srtp_err_status_ok || size < 0)
        return false;
    *length = (size_t)size;
    return true;
}
