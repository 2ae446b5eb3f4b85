/* Prompts that a stream's legs are played. All with the lock held. */
#ifndef TONEWALL_RELAY_PLAYING_H
#define TONEWALL_RELAY_PLAYING_H

#include "relay/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begins to play into a leg. 0: the recordings are the player's; or -errno. */
int relay_play(struct relay *relay, struct stream *stream, const struct command *command, int64_t now_ms);
/* Ends the play of a leg. 1: one ran; 0: none did. */
int relay_stop_play(struct relay *relay, struct stream *stream, int leg, int64_t now_ms);
/* The customer has pressed a key: what is to be stopped by one stops. */
void relay_barge_in(struct relay *relay, struct stream *stream, int64_t now_ms);
/* Sends the packets of all plays that are due. */
void relay_play_due(struct relay *relay, int64_t now_ms);
/* Corrects a peer's RTCP, in place, by what players have changed. */
void relay_correct_rtcp(struct stream *stream, int leg, uint8_t *packet, size_t length);
/* The stream closes: nothing is played any more. */
void relay_drop_players(struct relay *relay, struct stream *stream);
/* Has an adopted stream go on where it was played into. False: there is no memory. */
bool relay_keep_players(struct stream *stream, int64_t now_ms);

#endif
