/* SRTP (RFC 3711) of one leg. The prefix srtp_ is libsrtp's own. */
#ifndef TONEWALL_RELAY_SRTP_H
#define TONEWALL_RELAY_SRTP_H

#include "relay/indices.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SRTP_ROOM = 32 }; /* the most octets that sealing adds */

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
 * freed. `in`, `out`: where the indices of each direction are kept, as long as this is; without a
 * `before`, those that a process before this one has noted of the same key are gone on with. NULL:
 * errno is set, and `before` and the indices are as they were; EKEYREJECTED: a key was in use, and
 * its indices are not known. */
struct crypto *crypto_change(struct crypto *before, const struct crypto_keys *keys, struct indices *in,
                             struct indices *out);
/* Wipes and frees. NULL: nothing. */
void crypto_free(struct crypto *crypto);
/* Authenticates and decrypts in place. False: the packet is not by this peer, damaged, or seen
 * before, by this process or by the one that it succeeds. `scratch` has room for it. */
bool crypto_open(struct crypto *crypto, bool is_rtp, uint8_t *packet, size_t *length, uint8_t *scratch);
/* Encrypts in place, with SRTP_ROOM octets behind the packet. False: it must not leave; its index
 * may have been sealed before. */
bool crypto_seal(struct crypto *crypto, bool is_rtp, uint8_t *packet, size_t *length);

#endif
