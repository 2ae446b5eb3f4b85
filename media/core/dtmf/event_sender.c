/* Keys that are sent to the agent's side as telephone-event: no I/O, no clock. The twin of media/reference/event_sender.py, where the reasons stand. */
#include "rtp/wire.h"

#include <string.h>

enum { INTERVAL_MS = 20, ENDS = 3, PAUSE_MS = 60, VOLUME = 10, SEGMENT = 0xFFFF, END = 0x80 };

void sender_follow(struct sender *sender, const struct rtp *rtp, int64_t now_ms) {
    sender->follows = true;
    sender->ssrc = rtp->ssrc;
    sender->timestamp = rtp->timestamp;
    sender->at_ms = now_ms;
}

void sender_forget(struct sender *sender) {
    explicit_bzero(sender->waiting, sizeof sender->waiting);
    sender->count = sender->step = sender->ends = 0;
}

bool sender_put(struct mask *mask, const struct outgoing *key, uint32_t own, int64_t now_ms) {
    struct sender *sender = &mask->sender;
    if (mask->on || sender->count == WAITING)
        return false;
    if (sender->own == 0)
        sender->own = own;
    if (sender->count == 0 && sender->due_ms < now_ms)
        sender->due_ms = now_ms;
    sender->waiting[sender->count++] = *key;
    return true;
}

int64_t sender_due_ms(const struct sender *sender) { return sender->count > 0 ? sender->due_ms : INT64_MAX; }

static uint32_t ticks(int64_t ms, int clock) { return (uint32_t)(ms * clock / 1000); }

static uint16_t lasting(int64_t ms, int clock) { /* a single segment */
    int64_t duration = ms * clock / 1000;
    return (uint16_t)(duration < SEGMENT ? duration : SEGMENT);
}

static void begin(struct sender *sender, int clock, int64_t now_ms) {
    sender->event_ssrc = sender->follows ? sender->ssrc : sender->own;
    sender->event_timestamp = sender->follows ? sender->timestamp + ticks(now_ms - sender->at_ms, clock) : ticks(now_ms, clock);
}

static void next_key(struct sender *sender) {
    sender->count--;
    memmove(sender->waiting, sender->waiting + 1, (size_t)sender->count * sizeof *sender->waiting);
    explicit_bzero(sender->waiting + sender->count, sizeof *sender->waiting);
    sender->step = sender->ends = 0;
    sender->due_ms += PAUSE_MS - INTERVAL_MS;
}

size_t sender_next(struct mask *mask, int64_t now_ms, uint8_t out[EVENT_PACKET]) {
    struct sender *sender = &mask->sender;
    const struct outgoing *key = &sender->waiting[0];
    if (mask->on || now_ms < sender_due_ms(sender))
        return 0;
    if (sender->step == 0)
        begin(sender, key->clock, now_ms);
    uint16_t seq, whole = lasting(key->duration_ms, key->clock);
    uint16_t duration = lasting((int64_t)INTERVAL_MS * (sender->step + 1), key->clock);
    if (!track_insert(mask, sender->event_ssrc, &seq))
        track_pass(mask, sender->event_ssrc, 0, false, &seq);
    track_spare(mask, sender->event_ssrc, -1, -4);
    bool has_ended = duration >= whole;
    out[0] = 0x80;
    out[1] = (uint8_t)((sender->step == 0) << 7 | key->type);
    put16(out + 2, seq);
    put32(out + 4, sender->event_timestamp);
    put32(out + 8, sender->event_ssrc);
    out[12] = key->code;
    out[13] = has_ended ? END | VOLUME : VOLUME;
    put16(out + 14, has_ended ? whole : duration);
    sender->step++;
    sender->due_ms += INTERVAL_MS;
    if (has_ended && ++sender->ends == ENDS)
        next_key(sender);
    return EVENT_PACKET;
}
