/* Puts a stream's mask on and takes it off. */
#include "relay/masking.h"

#include "relay/clock.h"
#include "relay/decoder.h"
#include "relay/forward.h"
#include "relay/send.h"
#include "relay/streams.h"

#include <errno.h>

enum { DRAIN_MAX = 1024 }; /* packets of one socket */

/* A packet that arrived under the mask is treated under the mask. */
static void drain_sockets(struct relay *relay, struct stream *stream, int64_t now_ms) {
    for (int index = CALLER_RTP; index <= CALLER_RTCP && stream->is_resumed; index++)
        for (int left = DRAIN_MAX; left > 0 && relay_one(relay, &stream->endpoints[index], now_ms); left--)
            ;
}

/* All that waits leaves; audio that was not listened to leaves as silence or noise. */
static void take_mask_off(struct relay *relay, struct stream *stream, int64_t now_ms) {
    struct mask *mask = &stream->mask;
    drain_sockets(relay, stream, now_ms);
    if (stream->queue != NULL)
        queue_shut(stream->queue);
    if (mask->hold != NULL)
        hold_end(mask->hold);
    relay_release(relay, stream, true);
    decoder_forget(relay, stream);
    tally_end(&stream->slot->tally, mask, clock_wall_ms());
    if (mask->hold != NULL)
        pool_give_back(&relay->holds, mask->hold);
    mask->hold = NULL;
}

int relay_set_mask(struct relay *relay, struct stream *stream, const struct command *command,
                   int64_t now_ms) {
    struct mask *mask = &stream->mask;
    bool was_on = mask->on;
    if (!was_on && command->on)
        slot_note_on(stream->slot);
    if (mask->on && command->on && mask->hold != NULL)
        mask->hold->options = command->options; /* packets in the hold stay there */
    if (mask->on && !command->on)
        take_mask_off(relay, stream, now_ms);
    if (!mask->on && command->on)
        tally_begin(&stream->slot->tally, clock_wall_ms());
    mask->on = command->on;
    if (mask->on)
        event_sender_forget(&mask->sender);
    mask->shut = mask->shut && mask->on;
    mask->keyed = mask->keyed && mask->on;
    mask->event_presses = mask->on ? mask->event_presses : 0;
    if (was_on && !mask->on)
        slot_note_off(stream->slot, now_ms);
    relay_choose_set(relay, stream);
    if (mask->on && mask->hold == NULL) {
        mask->hold = pool_borrow(&relay->holds);
        if (mask->hold == NULL)
            return -ENOMEM;
        hold_begin(mask->hold, &command->options);
        mask->gap = (struct gap){0};
    }
    return 0;
}
