/* Packets that leave: the last look, SRTP, the socket. All with the lock held. */
#ifndef TONEWALL_RELAY_SEND_H
#define TONEWALL_RELAY_SEND_H

#include "relay/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a packet may leave for the agent. A packet in which a key is found does not, nor any
 * after it while masked. */
bool relay_may_leave(struct relay *relay, struct stream *stream, const uint8_t *packet, size_t length);
/* Sends a packet to the peer behind a socket. It is in our buffer, with SRTP_ROOM octets behind it.
 * False: it did not leave. */
bool relay_send(struct stream *stream, int index, uint8_t *packet, size_t length);
/* The same for a packet of RTP that we have made ourselves. */
bool relay_send_own(struct stream *stream, int leg, uint8_t *packet, size_t length);
/* Sends all packets of a stream that wait and whose time has come; `all_of_it`: those in the hold,
 * too. */
void relay_release(struct relay *relay, struct stream *stream, bool all_of_it);
/* When the packets of a stream that wait are due; INT64_MAX: none waits. */
int64_t relay_release_due_ms(const struct stream *stream);

#endif
