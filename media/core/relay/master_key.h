/* A master key of SRTP with its suite, and the sessions of libsrtp with it. */
#ifndef TONEWALL_RELAY_MASTER_KEY_H
#define TONEWALL_RELAY_MASTER_KEY_H

#include <srtp2/srtp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SRTP_KEY_MAX = 46 }; /* octets of a master key and its salt */

struct suite;

struct master_key {
    const struct suite *suite;
    uint8_t bytes[SRTP_KEY_MAX];
};

/* `suite`: as in SDP. False: it is unknown, or the length is not its. */
bool master_key_read(struct master_key *key, const char *suite, const uint8_t *bytes, size_t length);
/* The same suite, key and salt. */
bool master_key_is_same(const struct master_key *one, const struct master_key *other);
/* A session for any SSRC. `type`: ssrc_any_inbound or ssrc_any_outbound. NULL: there is none. */
srtp_t master_key_session(struct master_key *key, srtp_ssrc_type_t type);
/* The same for what a peer sends, whose rollover counter of an SSRC goes on. */
srtp_t master_key_continued(struct master_key *key, uint32_t ssrc, uint32_t rollovers);
/* Adds an SSRC to a session, as if it was new. */
bool master_key_add(struct master_key *key, srtp_t session, uint32_t ssrc);
/* Tells keys apart without being one. `session`: new, with this key. 0: it cannot be made. */
uint64_t master_key_fingerprint(srtp_t session);
/* The index that a packet of SRTCP has: behind its authentication tag with GCM (RFC 7714 section
 * 9.2), else before it. */
uint32_t master_key_rtcp_index(const struct master_key *key, const uint8_t *packet, size_t length);

#endif
