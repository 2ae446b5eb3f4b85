/* SRTP (RFC 3711) of one leg. The prefix srtp_ is libsrtp's own. */
#ifndef TONEWALL_RELAY_SRTP_H
#define TONEWALL_RELAY_SRTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Octets: a master key with its salt; the most that sealing adds. */
enum { SRTP_KEY_MAX = 46, SRTP_ROOM = 32 };

/* Of RFC 4568: a suite, and a master key with its salt for each direction. */
struct crypto_keys {
    const char *suite;
    const uint8_t *in, *out;
    size_t in_length, out_length;
};

struct crypto;

/* Starts libsrtp; before any thread starts. */
bool crypto_prepare(void);
/* Has libsrtp load, and keep, what it would load with its first session: later the process may be
 * kept from it. Where that fails, calls in clear go on. */
void crypto_load(void);
/* The keys from now on. `before` (NULL: none) goes on where a direction's key is the same, and is
 * freed. NULL: errno is set, and `before` is as it was. */
struct crypto *crypto_change(struct crypto *before, const struct crypto_keys *keys);
/* Wipes and frees. NULL: nothing. */
void crypto_free(struct crypto *crypto);
/* Authenticates and decrypts in place. False: the packet is not by this peer, damaged, or seen
 * before. `scratch` has room for it. */
bool crypto_open(struct crypto *crypto, bool is_rtp, uint8_t *packet, size_t *length, uint8_t *scratch);
/* Encrypts in place, with SRTP_ROOM octets behind the packet. False: it must not leave. */
bool crypto_seal(struct crypto *crypto, bool is_rtp, uint8_t *packet, size_t *length);

#endif
