/* Keys that are sent to the agent's side as telephone-event. The reasons are in
 * media/reference/event_sender.py. */
#include "dtmf/event_sender.h"

#include "rtp/wire.h"

#include <string.h>

/* VOLUME in -dBm0. SENDER_SEGMENT: the longest duration (RFC 4733 section 2.5.1.3). END_BIT: with
 * the volume. */
enum { INTERVAL_MS = 20, ENDS = 3, PAUSE_MS = 60, VOLUME = 10, SENDER_SEGMENT = 0xFFFF, END_BIT = 0x80 };

void event_sender_follow(struct event_sender *sender, const struct rtp *rtp, int64_t now_ms) {
    sender->follows = true;
    sender->ssrc = rtp->ssrc;
    sender->timestamp = rtp->timestamp;
    sender->at_ms = now_ms;
}

void event_sender_forget(struct event_sender *sender) {
    explicit_bzero(sender->waiting, sizeof sender->waiting);
    sender->count = sender->step = sender->ends = 0;
}

bool event_sender_put(struct event_sender *sender, const struct outgoing_key *key, uint32_t own,
                      int64_t now_ms) {
    if (sender->count == SENDER_WAITING)
        return false;
    if (sender->own == 0)
        sender->own = own;
    if (sender->count == 0 && sender->due_ms < now_ms)
        sender->due_ms = now_ms;
    sender->waiting[sender->count++] = *key;
    return true;
}

int64_t event_sender_due_ms(const struct event_sender *sender) {
    return sender->count > 0 ? sender->due_ms : INT64_MAX;
}

static uint32_t ticks_of(int64_t ms, int clock) { return (uint32_t)(ms * clock / 1000); }

static uint16_t segment_of(int64_t ms, int clock) {
    int64_t duration = ms * clock / 1000;
    return (uint16_t)(duration < SENDER_SEGMENT ? duration : SENDER_SEGMENT);
}

static void begin_key(struct event_sender *sender, int clock, int64_t now_ms) {
    sender->event_ssrc = sender->follows ? sender->ssrc : sender->own;
    sender->event_timestamp = sender->follows ? sender->timestamp + ticks_of(now_ms - sender->at_ms, clock)
                                              : ticks_of(now_ms, clock);
}

static void next_key(struct event_sender *sender) {
    sender->count--;
    memmove(sender->waiting, sender->waiting + 1, (size_t)sender->count * sizeof *sender->waiting);
    explicit_bzero(&sender->waiting[sender->count], sizeof sender->waiting[0]);
    sender->step = sender->ends = 0;
    sender->due_ms += PAUSE_MS - INTERVAL_MS;
}

size_t event_sender_next(struct event_sender *sender, struct tracks *tracks, int64_t now_ms,
                         uint8_t out[EVENT_PACKET]) {
    const struct outgoing_key *key = &sender->waiting[0];
    if (sender->count == 0 || now_ms < sender->due_ms)
        return 0;
    if (sender->step == 0)
        begin_key(sender, key->clock, now_ms);
    uint16_t seq, whole = segment_of(key->duration_ms, key->clock);
    uint16_t duration = segment_of((int64_t)INTERVAL_MS * (sender->step + 1), key->clock);
    if (!sequence_insert(tracks, sender->event_ssrc, &seq))
        sequence_pass(tracks, sender->event_ssrc, 0, false, &seq);
    sequence_count_unsent(tracks, sender->event_ssrc, -1, -4);
    bool has_ended = duration >= whole;
    rtp_put_header(out, &(struct rtp){.type = key->type,
                                      .marker = sender->step == 0,
                                      .seq = seq,
                                      .timestamp = sender->event_timestamp,
                                      .ssrc = sender->event_ssrc});
    out[RTP_HEADER] = key->code;
    out[RTP_HEADER + 1] = has_ended ? END_BIT | VOLUME : VOLUME;
    put16(out + RTP_HEADER + 2, has_ended ? whole : duration);
    sender->step++;
    sender->due_ms += INTERVAL_MS;
    if (has_ended && ++sender->ends == ENDS)
        next_key(sender);
    return EVENT_PACKET;
}

void event_sender_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, SENDER_WAITING, INTERVAL_MS, ENDS, PAUSE_MS, SENDER_SEGMENT);
}
