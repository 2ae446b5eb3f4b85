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
 *         once. */
#include "relay/srtp.h"

#include "rtp/rtcp.h"
#include "rtp/rtp.h"
#include "rtp/wire.h"

#include <errno.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)SRTP_ROOM >= (int)SRTP_MAX_TRAILER_LEN - (int)SRTP_MAX_MKI_LEN, "no MKI is sent");

enum { SRTP_SOURCES = 64, SRTP_REPLAY_WINDOW = 128 }; /* SSRCs of one direction; packets */

struct suite {
    const char *name;
    size_t key_length;
    void (*rtp)(srtp_crypto_policy_t *), (*rtcp)(srtp_crypto_policy_t *);
};

static void cm_128_80(srtp_crypto_policy_t *policy) { srtp_crypto_policy_set_rtp_default(policy); }

static const struct suite SRTP_SUITES[] = {
    {"AEAD_AES_256_GCM", 44, srtp_crypto_policy_set_aes_gcm_256_16_auth,
     srtp_crypto_policy_set_aes_gcm_256_16_auth},
    {"AEAD_AES_128_GCM", 28, srtp_crypto_policy_set_aes_gcm_128_16_auth,
     srtp_crypto_policy_set_aes_gcm_128_16_auth},
    {"AES_256_CM_HMAC_SHA1_80", 46, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80,
     srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80},
    {"AES_CM_128_HMAC_SHA1_80", 30, cm_128_80, cm_128_80},
    {"AES_CM_128_HMAC_SHA1_32", 30, srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32, cm_128_80},
};

struct master_key {
    const struct suite *suite;
    uint8_t bytes[SRTP_KEY_MAX];
};

/* SSRCs whose state libsrtp keeps. */
struct sources {
    unsigned count;
    uint32_t known[SRTP_SOURCES];
};

enum candidate { NEW_KEY, NEW_KEY_CONTINUED, OLD_KEY, CANDIDATE_KEYS };

struct crypto {
    struct master_key in_key, out_key;
    srtp_t in[CANDIDATE_KEYS], out; /* NULL: not in use */
    uint32_t ssrc; /* of the peer's newest RTP packet */
    struct sources in_sources, out_sources;
};

bool crypto_prepare(void) { return srtp_init() == srtp_err_status_ok; }

/* --- sessions of libsrtp ---------------------------------------------------------------------- */

static bool is_same_key(const struct master_key *one, const struct master_key *other) {
    return one->suite == other->suite && memcmp(one->bytes, other->bytes, sizeof one->bytes) == 0;
}

static srtp_policy_t policy_of(struct master_key *key, srtp_ssrc_type_t type) {
    srtp_policy_t policy = {.ssrc.type = type, .key = key->bytes, .window_size = SRTP_REPLAY_WINDOW};
    key->suite->rtp(&policy.rtp);
    key->suite->rtcp(&policy.rtcp);
    return policy;
}

static srtp_t new_session(struct master_key *key, srtp_ssrc_type_t type) {
    srtp_policy_t policy = policy_of(key, type);
    srtp_t made = NULL;
    return srtp_create(&made, &policy) == srtp_err_status_ok ? made : NULL;
}

static srtp_t continued_session(struct master_key *key, uint32_t ssrc, uint32_t rollovers) {
    srtp_policy_t others = policy_of(key, ssrc_any_inbound), known = policy_of(key, ssrc_specific);
    known.ssrc.value = ssrc;
    known.next = &others;
    srtp_t made = NULL;
    if (srtp_create(&made, &known) != srtp_err_status_ok)
        return NULL;
    srtp_set_stream_roc(made, ssrc, rollovers);
    return made;
}

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

static bool read_key(struct master_key *key, const char *suite, const uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < sizeof SRTP_SUITES / sizeof *SRTP_SUITES; i++)
        if (strcmp(suite, SRTP_SUITES[i].name) == 0 && length == SRTP_SUITES[i].key_length) {
            key->suite = &SRTP_SUITES[i];
            memcpy(key->bytes, bytes, length);
            return true;
        }
    return false;
}

void crypto_load(void) {
    static srtp_t kept; /* of nobody's: with its last session libsrtp unloads all again */
    struct master_key zeros = {.suite = &SRTP_SUITES[0]};
    if (kept == NULL)
        kept = new_session(&zeros, ssrc_any_outbound);
}

struct crypto *crypto_change(struct crypto *before, const struct crypto_keys *keys) {
    struct crypto *crypto = calloc(1, sizeof *crypto);
    if (crypto == NULL)
        return NULL;
    if (!read_key(&crypto->in_key, keys->suite, keys->in, keys->in_length) ||
        !read_key(&crypto->out_key, keys->suite, keys->out, keys->out_length)) {
        crypto_free(crypto);
        errno = EINVAL;
        return NULL;
    }
    bool same_in = before != NULL && is_same_key(&before->in_key, &crypto->in_key);
    bool same_out = before != NULL && is_same_key(&before->out_key, &crypto->out_key);
    if (!same_in)
        crypto->in[NEW_KEY] = new_session(&crypto->in_key, ssrc_any_inbound);
    if (!same_out)
        crypto->out = new_session(&crypto->out_key, ssrc_any_outbound);
    if ((!same_in && crypto->in[NEW_KEY] == NULL) || (!same_out && crypto->out == NULL)) {
        crypto_free(crypto);
        errno = ENOMEM;
        return NULL;
    }
    if (before == NULL)
        return crypto;
    crypto->ssrc = before->ssrc;
    if (same_in) {
        for (int i = 0; i < CANDIDATE_KEYS; i++)
            crypto->in[i] = move_session(&before->in[i]);
        crypto->in_sources = before->in_sources;
    } else {
        uint32_t rollovers = 0;
        srtp_get_stream_roc(*newest_session(before), before->ssrc, &rollovers);
        if (rollovers > 0)
            crypto->in[NEW_KEY_CONTINUED] = continued_session(&crypto->in_key, before->ssrc, rollovers);
        crypto->in[OLD_KEY] = move_session(newest_session(before));
    }
    if (same_out) {
        crypto->out = move_session(&before->out);
        crypto->out_sources = before->out_sources;
    }
    crypto_free(before);
    return crypto;
}

/* --- packets ---------------------------------------------------------------------------------- */

static uint32_t ssrc_of(const uint8_t *packet, bool is_rtp) { return get32(packet + (is_rtp ? 8 : 4)); }

static bool has_source_room(const struct sources *sources, uint32_t ssrc) {
    for (unsigned i = 0; i < sources->count; i++)
        if (sources->known[i] == ssrc)
            return true;
    return sources->count < SRTP_SOURCES;
}

static void note_source(struct sources *sources, uint32_t ssrc) {
    for (unsigned i = 0; i < sources->count; i++)
        if (sources->known[i] == ssrc)
            return;
    if (sources->count < SRTP_SOURCES)
        sources->known[sources->count++] = ssrc;
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

bool crypto_open(struct crypto *crypto, bool is_rtp, uint8_t *packet, size_t *length, uint8_t *scratch) {
    if (*length < 12)
        return false;
    uint32_t ssrc = ssrc_of(packet, is_rtp);
    if (!has_source_room(&crypto->in_sources, ssrc))
        return false;
    bool is_only = crypto->in[NEW_KEY_CONTINUED] == NULL && crypto->in[OLD_KEY] == NULL, is_open = false;
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
        if (is_open && i != OLD_KEY && is_rtp && !is_only) { /* a packet with the new key has come */
            srtp_t found = move_session(&crypto->in[i]);
            for (int other = 0; other < CANDIDATE_KEYS; other++)
                end_session(&crypto->in[other]);
            crypto->in[NEW_KEY] = found;
        }
    }
    if (!is_only)
        explicit_bzero(scratch, size);
    if (is_open) {
        note_source(&crypto->in_sources, ssrc);
        if (is_rtp)
            crypto->ssrc = ssrc;
    }
    return is_open;
}

bool crypto_seal(struct crypto *crypto, bool is_rtp, uint8_t *packet, size_t *length) {
    if (*length < (size_t)(is_rtp ? RTP_HEADER : RTCP_RECEIVER_HEAD))
        return false;
    uint32_t ssrc = ssrc_of(packet, is_rtp);
    if (!has_source_room(&crypto->out_sources, ssrc))
        return false;
    int size = (int)*length;
    srtp_err_status_t status =
        is_rtp ? srtp_protect(crypto->out, packet, &size) : srtp_protect_rtcp(crypto->out, packet, &size);
    note_source(&crypto->out_sources, ssrc);
    if (status != srtp_err_status_ok || size < 0)
        return false;
    *length = (size_t)size;
    return true;
}
