/* The keys that a leg was sealed with before its present one. */
#ifndef TONEWALL_RELAY_SEALED_BEFORE_H
#define TONEWALL_RELAY_SEALED_BEFORE_H

#include "relay/direction.h"

/* A key that we seal with. */
struct sealing {
    struct master_key key;
    srtp_t session; /* NULL: not in use */
    struct direction direction;
};

/* A key that we have sealed with, and may be asked to seal with again. */
struct sealed_before {
    struct sealing sealing;
    uint64_t fingerprint;
    struct index each[SRTP_SOURCES];
    uint32_t count;
    struct sealed_before *older;
};

/* The entry of a key in a list, NULL: none; `at`: what points to it. */
struct sealed_before *sealed_before_find(struct sealed_before **list, const struct master_key *key,
                                         struct sealed_before ***at);
/* Moves a key that we seal with no more, with its indices, to the beginning of a list, in `entry`,
 * which is the list's from then on; the oldest go. */
void sealed_before_keep(struct sealed_before **list, struct sealed_before *entry, struct sealing *sealing);
/* Seals with that key again, from where it was. Frees the entry, which is in no list. */
void sealed_before_resume(struct sealed_before *entry, struct sealing *sealing);
/* Wipes and frees a list. */
void sealed_before_free(struct sealed_before *list);

#endif
