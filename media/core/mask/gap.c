/* Gaps that events leave in codecs that the core does not know. The twin of media/reference/gaps.py, where the reasons stand. */
#include "mask/queue.h"

enum { TAKEN_OVER_MS = 100 };

bool gap_takes(const struct gap *gap, uint32_t ssrc, uint32_t timestamp, int64_t now_ms) {
    int32_t left = (int32_t)(timestamp - gap->next), second = (int32_t)codec_clock(gap->codec);
    if (!gap->bound)
        return true;
    return gap->ssrc == ssrc ? left >= 0 || left < -second : now_ms - gap->came_ms >= TAKEN_OVER_MS;
}

void gap_let_pass(struct gap *gap, int64_t now_ms) {
    gap->may_fill += (now_ms - gap->passed_ms) * (int64_t)codec_clock(gap->codec) / 1000;
    if (gap->may_fill < 0)
        gap->may_fill = 0;
    gap->passed_ms = now_ms;
}

uint32_t gap_lacks(const struct gap *gap, uint32_t timestamp, bool event) {
    int32_t left = (int32_t)(timestamp - gap->next);
    if (!gap->bound || !gap->after_event || left <= 0 || left > (int32_t)codec_clock(gap->codec))
        return 0;
    if (!event && gap->may_fill < 0)
        return 0;
    if ((uint32_t)left >= gap->step)
        return gap->step;
    return event ? 0 : silence_fits(gap->codec, (uint32_t)left);
}

void gap_fill(struct gap *gap, struct filling *filling, uint32_t ticks, uint16_t seq) {
    if (filling->count++ == 0) {
        filling->of = *gap;
        filling->seq = seq;
    }
    filling->last = ticks;
    gap->next += ticks;
    gap->may_fill -= ticks;
}

size_t filling_next(struct filling *filling, uint8_t out[QUEUE_PACKET]) {
    if (filling->count == 0)
        return 0;
    uint32_t ticks = --filling->count == 0 ? filling->last : filling->of.step;
    out[0] = 0x80;
    out[1] = filling->of.type;
    out[2] = (uint8_t)(filling->seq >> 8);
    out[3] = (uint8_t)filling->seq;
    for (int i = 0; i < 4; i++) {
        out[4 + i] = (uint8_t)(filling->of.next >> (24 - 8 * i));
        out[8 + i] = (uint8_t)(filling->of.ssrc >> (24 - 8 * i));
    }
    filling->seq++;
    filling->of.next += ticks;
    return QUEUE_HEADER + silence(filling->of.codec, ticks, out + QUEUE_HEADER, QUEUE_PACKET - QUEUE_HEADER);
}
