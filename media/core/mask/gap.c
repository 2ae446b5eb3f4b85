/* Gaps that events leave in codecs that the core does not decode. The reasons are in
 * media/reference/gap_fill.py. */
#include "mask/gap.h"

enum { GAP_TAKEOVER_MS = 100 }; /* an SSRC that was silent for so long may be followed by another */

bool gap_accepts(const struct gap *gap, uint32_t ssrc, uint32_t timestamp, int64_t now_ms) {
    int32_t left = rtp_ticks_ahead(timestamp, gap->next), second = (int32_t)codec_clock(gap->codec);
    if (!gap->bound)
        return true;
    return gap->ssrc == ssrc ? left >= 0 || left < -second : now_ms - gap->came_ms >= GAP_TAKEOVER_MS;
}

void gap_let_pass(struct gap *gap, int64_t now_ms) {
    gap->may_fill += (now_ms - gap->passed_ms) * (int64_t)codec_clock(gap->codec) / 1000;
    if (gap->may_fill < 0)
        gap->may_fill = 0;
    gap->passed_ms = now_ms;
}

uint32_t gap_lacks(const struct gap *gap, uint32_t timestamp, bool event) {
    int32_t left = rtp_ticks_ahead(timestamp, gap->next);
    if (!gap->bound || !gap->after_event || left <= 0 || left > (int32_t)codec_clock(gap->codec))
        return 0;
    if (!event && gap->may_fill < 0)
        return 0;
    if ((uint32_t)left >= gap->step)
        return gap->step;
    return event ? 0 : codec_silence_ticks(gap->codec, (uint32_t)left);
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

size_t gap_next_filling(struct filling *filling, uint8_t out[QUEUE_PACKET]) {
    if (filling->count == 0)
        return 0;
    uint32_t ticks = --filling->count == 0 ? filling->last : filling->of.step;
    rtp_put_header(out, &(struct rtp){.type = filling->of.type,
                                      .seq = filling->seq,
                                      .timestamp = filling->of.next,
                                      .ssrc = filling->of.ssrc});
    filling->seq++;
    filling->of.next += ticks;
    return RTP_HEADER + codec_silence(filling->of.codec, ticks, out + RTP_HEADER, QUEUE_PACKET - RTP_HEADER);
}

void gap_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, FILLINGS_MAX, GAP_PAYLOAD_MAX, GAP_TAKEOVER_MS);
}
