/* Work that is due without a packet. All with the lock held. */
#ifndef TONEWALL_RELAY_TIMERS_H
#define TONEWALL_RELAY_TIMERS_H

#include "relay/state.h"

#include <stdint.h>

/* Releases held packets and announces keys that are due; sets `due_ms` of the relay. */
void relay_timers(struct relay *relay, int64_t now_ms);
/* Reads the decoder process's answers, and releases the packets that they decide about. */
void relay_take_answers(struct relay *relay);

#endif
