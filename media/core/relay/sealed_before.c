/* The keys that a leg was sealed with before its present one.
 *
 * Rule 1: a key that we seal with again goes on with its indices: a peer may change its suite and
 *         change it back, and our key for a suite is the same each time. */
#include "relay/sealed_before.h"

#include <stdlib.h>
#include <string.h>

static void free_entry(struct sealed_before *entry) {
    if (entry->sealing.session != NULL)
        srtp_dealloc(entry->sealing.session);
    explicit_bzero(entry, sizeof *entry);
    free(entry);
}

void sealed_before_free(struct sealed_before *list) {
    while (list != NULL) {
        struct sealed_before *entry = list;
        list = entry->older;
        free_entry(entry);
    }
}

struct sealed_before *sealed_before_find(struct sealed_before **list, const struct master_key *key,
                                         struct sealed_before ***at) {
    for (*at = list; **at != NULL; *at = &(**at)->older)
        if (master_key_is_same(&(**at)->sealing.key, key))
            return **at;
    return NULL;
}

void sealed_before_keep(struct sealed_before **list, struct sealed_before *entry, struct sealing *sealing) {
    const struct indices *indices = sealing->direction.indices;
    entry->sealing = *sealing;
    sealing->session = NULL;
    entry->fingerprint = indices->fingerprint;
    entry->count = indices->count;
    memcpy(entry->each, indices->each, sizeof entry->each);
    entry->older = *list;
    *list = entry;
    for (int left = KEYS_BEFORE; entry != NULL; entry = entry->older)
        if (--left == 0) {
            sealed_before_free(entry->older);
            entry->older = NULL;
        }
}

void sealed_before_resume(struct sealed_before *entry, struct sealing *sealing) {
    *sealing = entry->sealing;
    entry->sealing.session = NULL;
    indices_resume(sealing->direction.indices, entry->fingerprint, entry->each, entry->count);
    free_entry(entry);
}
