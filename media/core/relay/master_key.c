/* A master key of SRTP with its suite, and the sessions of libsrtp with it. */
#include "relay/master_key.h"

#include "rtp/rtp.h"
#include "rtp/wire.h"

#include <string.h>

/* SRTP_REPLAY_WINDOW: packets. The others: octets. */
enum { SRTP_REPLAY_WINDOW = 128, FINGERPRINT = 8, SRTCP_TRAILER = 4, SRTCP_TAG = 10 };

struct suite {
    const char *name;
    size_t key_length;
    bool is_gcm;
    void (*rtp)(srtp_crypto_policy_t *), (*rtcp)(srtp_crypto_policy_t *);
};

static void cm_128_80(srtp_crypto_policy_t *policy) { srtp_crypto_policy_set_rtp_default(policy); }

static const struct suite SRTP_SUITES[] = {
    {"AEAD_AES_256_GCM", 44, true, srtp_crypto_policy_set_aes_gcm_256_16_auth,
     srtp_crypto_policy_set_aes_gcm_256_16_auth},
    {"AEAD_AES_128_GCM", 28, true, srtp_crypto_policy_set_aes_gcm_128_16_auth,
     srtp_crypto_policy_set_aes_gcm_128_16_auth},
    {"AES_256_CM_HMAC_SHA1_80", 46, false, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80,
     srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80},
    {"AES_CM_128_HMAC_SHA1_80", 30, false, cm_128_80, cm_128_80},
    {"AES_CM_128_HMAC_SHA1_32", 30, false, srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32, cm_128_80},
};

bool master_key_read(struct master_key *key, const char *suite, const uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < sizeof SRTP_SUITES / sizeof *SRTP_SUITES; i++)
        if (strcmp(suite, SRTP_SUITES[i].name) == 0 && length == SRTP_SUITES[i].key_length) {
            key->suite = &SRTP_SUITES[i];
            memcpy(key->bytes, bytes, length);
            return true;
        }
    return false;
}

bool master_key_is_same(const struct master_key *one, const struct master_key *other) {
    return one->suite == other->suite && memcmp(one->bytes, other->bytes, sizeof one->bytes) == 0;
}

static srtp_policy_t policy_of(struct master_key *key, srtp_ssrc_type_t type) {
    srtp_policy_t policy = {.ssrc.type = type, .key = key->bytes, .window_size = SRTP_REPLAY_WINDOW};
    key->suite->rtp(&policy.rtp);
    key->suite->rtcp(&policy.rtcp);
    return policy;
}

srtp_t master_key_session(struct master_key *key, srtp_ssrc_type_t type) {
    srtp_policy_t policy = policy_of(key, type);
    srtp_t made = NULL;
    return srtp_create(&made, &policy) == srtp_err_status_ok ? made : NULL;
}

srtp_t master_key_continued(struct master_key *key, uint32_t ssrc, uint32_t rollovers) {
    srtp_policy_t others = policy_of(key, ssrc_any_inbound), known = policy_of(key, ssrc_specific);
    known.ssrc.value = ssrc;
    known.next = &others;
    srtp_t made = NULL;
    if (srtp_create(&made, &known) != srtp_err_status_ok)
        return NULL;
    srtp_set_stream_roc(made, ssrc, rollovers);
    return made;
}

bool master_key_add(struct master_key *key, srtp_t session, uint32_t ssrc) {
    srtp_policy_t policy = policy_of(key, ssrc_specific);
    policy.ssrc.value = ssrc;
    return srtp_add_stream(session, &policy) == srtp_err_status_ok;
}

/* The first octets of the key stream for an index that no stream reaches. The packet never leaves,
 * nor does the one before it, which has the session make the state of its SSRC. */
uint64_t master_key_fingerprint(srtp_t session) {
    uint64_t fingerprint = 0;
    bool is_sealed = true;
    for (int step = 0; step < 2 && is_sealed; step++) {
        uint8_t packet[RTP_HEADER + FINGERPRINT + SRTP_MAX_TRAILER_LEN] = {0x80};
        int size = RTP_HEADER + FINGERPRINT;
        is_sealed = (step == 0 || srtp_set_stream_roc(session, 0, UINT32_MAX) == srtp_err_status_ok) &&
                    srtp_protect(session, packet, &size) == srtp_err_status_ok;
        memcpy(&fingerprint, packet + RTP_HEADER, sizeof fingerprint);
    }
    srtp_remove_stream(session, 0);
    return is_sealed ? fingerprint : 0;
}

uint32_t master_key_rtcp_index(const struct master_key *key, const uint8_t *packet, size_t length) {
    size_t behind = SRTCP_TRAILER + (key->suite->is_gcm ? 0 : SRTCP_TAG);
    return length < behind ? 0 : get32(packet + length - behind) & 0x7FFFFFFF;
}
