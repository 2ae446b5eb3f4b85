/* The addresses that are locked, for the successor of a killed process: it does not lock another's
 * in their place. */
#ifndef TONEWALL_RELAY_LATCH_H
#define TONEWALL_RELAY_LATCH_H

#include "rtp/source.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* Of one socket. */
struct latch {
    uint32_t is_locked; /* written last, and wiped first */
    struct sockaddr_in6 signalled, current; /* or IPv4 addresses */
};

/* Notes whether the source is locked, and where. */
void latch_note(struct latch *latch, const struct source *source);
/* Locks a source that was set just now, where its own address is the one of the note. `paired`: as
 * in `source_admits`. */
void latch_restore(const struct latch *latch, struct source *source, const struct source *paired,
                   int64_t now_ms);

#endif
