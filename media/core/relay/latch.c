/* The addresses that are locked, for the successor of a killed process. */
#include "relay/latch.h"

#include "stores.h"

#include <string.h>

static void copy_address(struct sockaddr_in6 *to, const struct sockaddr_storage *from) {
    memcpy(to, from, sizeof *to);
}

static struct sockaddr_storage address_of(const struct sockaddr_in6 *from) {
    struct sockaddr_storage address = {0};
    memcpy(&address, from, sizeof *from);
    return address;
}

void latch_note(struct latch *latch, const struct source *source) {
    stores_put32(&latch->is_locked, false);
    if (!source->present || !source->locked)
        return;
    copy_address(&latch->signalled, &source->signalled);
    copy_address(&latch->current, &source->current);
    stores_part();
    stores_put32(&latch->is_locked, true);
}

/* By the rules that it was locked by, and as one whose time for a better one is over. */
void latch_restore(const struct latch *latch, struct source *source, const struct source *paired,
                   int64_t now_ms) {
    struct sockaddr_storage signalled = address_of(&latch->signalled), current = address_of(&latch->current);
    if (latch->is_locked == true && source->present && source->latch && !source->locked &&
        source_same(&source->signalled, &signalled))
        source_admits(source, paired, &current, true, now_ms - EXACT_GRACE_MS);
}
