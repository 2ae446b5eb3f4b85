/* SRTP of one leg: relay/srtp.c. */
#ifndef TONEWALL_SRTP_H
#define TONEWALL_SRTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SRTP_KEY_MOST = 46, SRTP_ROOM = 32 }; /* bytes: a master key with its salt; what sealing adds at most */

struct crypto_keys { /* of RFC 4568: one suite, and a master key with its salt a direction */
    const char *suite;
    const uint8_t *in, *out;
    size_t in_length, out_length;
};

struct crypto;

bool crypto_prepare(void); /* the library; before any thread */
/* What holds from now on; `before` (NULL: none) goes on where a direction's key is the same, and is freed. NULL: errno is set,
 * and `before` is as it was. */
struct crypto *crypto_change(struct crypto *before, const struct crypto_keys *keys);
void crypto_free(struct crypto *crypto); /* NULL: nothing */
/* In place; false: not by this peer, damaged, or seen before. `scratch` has room for the packet. */
bool crypto_open(struct crypto *crypto, bool is_rtp, uint8_t *packet, size_t *length, uint8_t *scratch);
/* In place, with SRTP_ROOM bytes behind the packet; false: it must not leave. */
bool crypto_seal(struct crypto *crypto, bool is_rtp, uint8_t *packet, size_t *length);

#endif
