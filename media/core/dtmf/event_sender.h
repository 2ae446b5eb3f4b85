/* Keys that are sent to the agent's side as telephone-event, without a clock or a socket
 * (media/reference/event_sender.py). */
#ifndef TONEWALL_DTMF_EVENT_SENDER_H
#define TONEWALL_DTMF_EVENT_SENDER_H

#include "constants.h"
#include "rtp/rtp.h"
#include "rtp/sequence.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SENDER_WAITING = 8, EVENT_PACKET = RTP_HEADER + 4 }; /* keys; octets */

struct outgoing_key {
    uint8_t code, type; /* the event code and the payload type */
    int duration_ms, clock; /* `clock` in Hz */
};

/* All zeros: nothing waits. */
struct event_sender {
    struct outgoing_key waiting[SENDER_WAITING];
    int count, step, ends;
    bool follows; /* there is audio: the next three are of its newest packet */
    uint32_t ssrc, timestamp;
    int64_t at_ms, due_ms;
    uint32_t own; /* the SSRC of our own stream */
    uint32_t event_ssrc, event_timestamp; /* of the key that is being sent */
};

/* A packet of audio came: events follow its clock and its SSRC. */
void event_sender_follow(struct event_sender *sender, const struct rtp *rtp, int64_t now_ms);
/* Wipes all keys that wait. */
void event_sender_forget(struct event_sender *sender);
/* `own`: the SSRC to be used where there is no audio. False: too many wait. */
bool event_sender_put(struct event_sender *sender, const struct outgoing_key *key, uint32_t own,
                      int64_t now_ms);
/* When the next packet leaves; INT64_MAX: nothing waits. */
int64_t event_sender_due_ms(const struct event_sender *sender);
/* Writes the packet that leaves now, with a number of its own. Returns its octets; 0: there is
 * none. */
size_t event_sender_next(struct event_sender *sender, struct tracks *tracks, int64_t now_ms,
                         uint8_t out[EVENT_PACKET]);

/* Gives the numbers that media/reference/event_sender.py has, too. */
void event_sender_constants(const struct constant_sink *sink);

#endif
