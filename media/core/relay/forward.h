/* One packet, from the socket that it came to, to the peer on the other side. With the lock
 * held. */
#ifndef TONEWALL_RELAY_FORWARD_H
#define TONEWALL_RELAY_FORWARD_H

#include "relay/state.h"

#include <stdbool.h>
#include <stdint.h>

/* False: there was no packet. */
bool relay_one(struct relay *relay, struct endpoint *from, int64_t now_ms);

#endif
