/* Audio that leaves the hold: as it came, or as something that stands in its place. */
#include "mask/hold_output.h"

#include "audio/g711.h"
#include "audio/placeholder.h"

#include <string.h>

/* A block that was not listened to leaves as noise, and so does one of which nothing is known any
 * more. */
static int leaves_as(const struct hold *hold, int64_t block) {
    return block >= 0 && block < hold->block && hold->block - block <= HOLD_BLOCKS
               ? hold->shut[block % HOLD_BLOCKS]
               : BLOCK_NOISY;
}

bool hold_is_shut(const struct hold *hold, int64_t from, int64_t to) {
    for (int64_t block = from / BLOCK; block * BLOCK < to; block++)
        if (leaves_as(hold, block) != BLOCK_OPEN)
            return true;
    return false;
}

/* Octets of an open block beside shut ones, in G.711: they rise and fall, so that the edges do not
 * click. */
static void fade_part(enum coding law, const uint8_t *codes, int place, int count, bool rises, bool falls,
                      uint8_t *out) {
    for (int i = 0; i < count; i++, place++) {
        int weight = falls ? BLOCK - place : BLOCK;
        if (rises && place < weight)
            weight = place;
        out[i] = weight == BLOCK ? codes[i] : g711_encode(law, g711_decode(law, codes[i]) * weight / BLOCK);
    }
}

/* One block's part of a frame: `from` to `to` are samples. */
static void build_part(const struct hold *hold, const struct frame *frame, int64_t from, int64_t to,
                       uint8_t *out) {
    int64_t block = from / BLOCK;
    int as = leaves_as(hold, block), place = (int)(from % BLOCK), count = (int)(to - from);
    const uint8_t *codes = hold->codes + from % HOLD_RING;
    if (as == BLOCK_PLACEHOLDER && hold->options.placeholder && hold->options.policy != POLICY_MUTE) {
        placeholder_tone(frame->coding, place, count, out);
        return;
    }
    if (as != BLOCK_OPEN) {
        uint32_t timestamp = frame->timestamp + (uint32_t)(from - frame->start);
        placeholder_noise(frame->coding, placeholder_level(hold->background), timestamp, count, out);
        return;
    }
    bool rises = block > 0 && leaves_as(hold, block - 1) != BLOCK_OPEN;
    bool falls = block + 1 < hold->block && leaves_as(hold, block + 1) != BLOCK_OPEN;
    if ((rises || falls) && frame->coding != CODING_G722)
        fade_part(frame->coding, codes, place, count, rises, falls, out);
    else
        memcpy(out, codes, (size_t)count);
}

size_t hold_next(struct hold *hold, bool all_of_it, uint8_t out[HOLD_PACKET]) {
    if (hold->count == 0)
        return 0;
    const struct frame *frame = &hold->frames[hold->first % FRAMES];
    if (!all_of_it && frame->start + frame->size + HOLD_AHEAD > hold->block * BLOCK)
        return 0;
    hold->first++;
    hold->count--;
    rtp_put_header(out, &(struct rtp){.type = frame->type,
                                      .marker = frame->marker,
                                      .seq = frame->seq,
                                      .timestamp = frame->timestamp,
                                      .ssrc = frame->ssrc});
    int64_t end = frame->start + frame->size;
    for (int64_t at = frame->start; at < end;) {
        int64_t next = (at / BLOCK + 1) * BLOCK;
        if (next > end)
            next = end;
        build_part(hold, frame, at, next, out + RTP_HEADER + (at - frame->start));
        at = next;
    }
    return (size_t)(RTP_HEADER + frame->size);
}

int64_t hold_due_ms(const struct hold *hold) {
    return hold->count == 0
               ? INT64_MAX
               : hold->last_ms + 60 + 2 * hold->frames[(hold->first + hold->count - 1) % FRAMES].size / 8;
}
