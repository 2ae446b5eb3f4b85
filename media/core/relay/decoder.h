/* The core's end of the socket to the decoder process (media/decoder/process.py). All with the lock
 * held. */
#ifndef TONEWALL_RELAY_DECODER_H
#define TONEWALL_RELAY_DECODER_H

#include "relay/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DECODER_ANSWERS_MAX = 64 }; /* that are read in one turn */

/* Takes over the socket, in the place of the one before; -1: none. */
void decoder_set(struct relay *relay, int fd);
/* Asks about a packet, which then waits in the stream's queue. False: it does not leave. */
bool decoder_ask(struct relay *relay, struct stream *stream, enum codec codec, const uint8_t *packet,
                 size_t length, int64_t now_ms);
/* An event came: audio is shut for a while. */
void decoder_event(struct relay *relay, struct stream *stream, int64_t now_ms);
/* Puts the next packet of a filling into the stream's queue, which `relay_release` is then to
 * empty. False: there was none, or it had no room. */
bool decoder_fill(struct relay *relay, struct stream *stream, struct filling *filling, int64_t now_ms);
/* Has that process listen to a packet that leaves: the canary of codecs that the core does not
 * decode. */
void decoder_left(struct relay *relay, struct stream *stream, enum codec codec, const uint8_t *packet,
                  size_t length);
/* The mask goes off: that process forgets the stream, and its queue is wiped. */
void decoder_forget(struct relay *relay, struct stream *stream);
/* Reads one answer. `answered`: the stream whose queue `relay_release` is then to empty, or NULL.
 * False: there was none. */
bool decoder_answer(struct relay *relay, struct stream **answered);

#endif
