/* Work that is due without a packet. */
#include "relay/timers.h"

#include "mask/hold_output.h"
#include "relay/decoder.h"
#include "relay/notices.h"
#include "relay/send.h"

enum { TICK_MS = 10 }; /* the least between two looks */

/* Held packets leave if nothing came for long. Returns when to look again. */
static int64_t release_due(struct relay *relay, struct stream *stream, int64_t now_ms) {
    struct hold *hold = stream->mask.hold;
    if (hold != NULL && now_ms >= hold_due_ms(hold)) {
        hold_end(hold);
        relay_release(relay, stream, true);
    } else if (now_ms >= relay_release_due_ms(stream)) {
        relay_release(relay, stream, false);
    }
    return relay_release_due_ms(stream);
}

/* Announces keys that have waited long enough. Returns when to look again. */
static int64_t announce_due(struct relay *relay, struct stream *stream, int64_t now_ms) {
    if (!stream->capture || stream->keys->count == 0 || stream->announced)
        return INT64_MAX;
    if (keys_ripe(stream->keys, now_ms) == 0)
        return stream->keys->held[0].seen_ms + KEY_HOLD_MS;
    stream->announced = true;
    relay_notify(relay, stream, NOTICE_KEYED);
    return INT64_MAX;
}

void relay_timers(struct relay *relay, int64_t now_ms) {
    int64_t due_ms = INT64_MAX;
    for (int bucket = 0; bucket < BUCKETS; bucket++)
        for (struct stream *stream = relay->buckets[bucket]; stream != NULL; stream = stream->next) {
            int64_t release_ms = release_due(relay, stream, now_ms),
                    announce_ms = announce_due(relay, stream, now_ms),
                    forget_ms = agent_keys_expire(&stream->agent_keys, now_ms);
            due_ms = release_ms < due_ms ? release_ms : due_ms;
            due_ms = announce_ms < due_ms ? announce_ms : due_ms;
            due_ms = forget_ms < due_ms ? forget_ms : due_ms;
        }
    relay->due_ms = due_ms < now_ms + TICK_MS ? now_ms + TICK_MS : due_ms;
}

void relay_take_answers(struct relay *relay) {
    struct stream *answered;
    for (int left = DECODER_ANSWERS_MAX; left > 0 && decoder_answer(relay, &answered); left--)
        if (answered != NULL)
            relay_release(relay, answered, false);
}
