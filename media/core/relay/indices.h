/* The indices of SRTP and SRTCP in use (RFC 3711 section 3.3.1), a table a direction: what the
 * successor of a killed process has to know. It holds no key. */
#ifndef TONEWALL_RELAY_INDICES_H
#define TONEWALL_RELAY_INDICES_H

#include <stdbool.h>
#include <stdint.h>

enum { SRTP_SOURCES = 64, KEYS_BEFORE = 8 }; /* SSRCs of one direction; keys that it had before */

/* Of one SSRC: one more than the highest index; 0: there was none. */
struct index {
    uint32_t ssrc, rtcp;
    uint64_t rtp;
};

/* Each field is written by one store, and an entry before its count: a process may die between any
 * two. All zeros: there was no key yet. */
struct indices {
    uint64_t fingerprint; /* of the key that `each` is of; 0: of none */
    uint64_t before[KEYS_BEFORE]; /* the fingerprints of earlier keys */
    uint32_t keys_before; /* more than KEYS_BEFORE: there were others */
    uint32_t count;
    struct index each[SRTP_SOURCES];
};

/* Begins with another key: nothing was sealed or opened with it. */
void indices_begin(struct indices *indices, uint64_t fingerprint);
/* Goes on with an earlier key, and with the indices that it had. */
void indices_resume(struct indices *indices, uint64_t fingerprint, const struct index *each, uint32_t count);
/* Notes that keys were in use of which nothing is known. */
void indices_lose(struct indices *indices);
/* Whether they are of this key, and can be gone on with. */
bool indices_are_of(const struct indices *indices, uint64_t fingerprint);
/* Whether this key may have been in use before the one that they are of. */
bool indices_had(const struct indices *indices, uint64_t fingerprint);
/* Whether this key was surely in use before the one that they are of. */
bool indices_were_of(const struct indices *indices, uint64_t fingerprint);
/* The place of an SSRC; -1: it has none. */
int indices_find(const struct indices *indices, uint32_t ssrc);
/* A place for a new SSRC; -1: there is no room. */
int indices_add(struct indices *indices, uint32_t ssrc);
/* The index of a sequence number, as libsrtp estimates it. `next`: one more than the highest. */
uint64_t indices_guess(uint64_t next, uint16_t seq);
/* Notes indices, each where it is the highest; `next`: one more than it. */
void indices_note_rtp(struct index *index, uint64_t next);
/* The same of SRTCP. */
void indices_note_rtcp(struct index *index, uint32_t next);

#endif
