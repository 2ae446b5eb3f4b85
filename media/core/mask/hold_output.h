/* Audio that leaves the hold. */
#ifndef TONEWALL_MASK_HOLD_OUTPUT_H
#define TONEWALL_MASK_HOLD_OUTPUT_H

#include "mask/hold.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether any block of these samples must not leave; so are those that were not listened to yet. */
bool hold_is_shut(const struct hold *hold, int64_t from, int64_t to);
/* Writes the next packet whose time has come, or the next of all. Returns its octets; 0: there is
 * none. */
size_t hold_next(struct hold *hold, bool all_of_it, uint8_t out[HOLD_PACKET]);
/* When all that waits is to leave if nothing more comes; INT64_MAX: nothing waits. */
int64_t hold_due_ms(const struct hold *hold);

#endif
