/* Opens and closes streams. All with the lock held. */
#ifndef TONEWALL_RELAY_STREAMS_H
#define TONEWALL_RELAY_STREAMS_H

#include "relay/state.h"

/* 0 or -errno; the descriptors and the slot become the stream's only with 0. */
int relay_open_stream(struct relay *relay, const struct command *command);
/* The same, with what the slot holds; no packet is read. Whether it is masked, or -errno. */
int relay_adopt_stream(struct relay *relay, const struct command *command);
/* Drops the packets that have waited, and reads those that come. 0 or -errno. */
int relay_resume_stream(struct relay *relay, struct stream *stream);
/* Wipes and closes the stream at this place in its bucket. */
void relay_close_stream(struct relay *relay, struct stream **at);
/* Has the thread look for a stream's packets as often as its mask allows. */
void relay_choose_set(struct relay *relay, struct stream *stream);

#endif
