/* Payloads of codecs that the core does not decode. The twin of media/codecs.py.
 *
 * Rule 1: frames are counted, not decoded: silence that takes a payload's place depends on nothing
 *         that was spoken.
 * Rule 2: CODEC_TABLE has one row a codec; nothing else in the core knows one by its name. */
#include "audio/codec.h"

#include <stdbool.h>
#include <string.h>

enum {
    OPUS_UNIT = 120,
    OPUS_MAX = 5760,
    OPUS_QUIET = 16,
    G729_FRAME = 10,
    GSM_FRAME = 33,
    AMR_FRAMES_MAX = 32
};

/* A frame that an encoder of ITU-T G.729 makes of samples that are all 0. */
static const uint8_t G729_QUIET[G729_FRAME] = {0x78, 0x52, 0x80, 0xA0, 0x00, 0xFA, 0xC2, 0x00, 0x07, 0xD6};
/* GSM 06.10 of samples that are all 0: the reflection coefficients of silence, and pulses of no
 * height. */
static const uint8_t GSM_QUIET[GSM_FRAME] = {
    0xD8, 0x20, 0xA2, 0xE1, 0x5A, 0x50, 0x00, 0x49, 0x24, 0x92, 0x49, 0x24, 0x50, 0x00, 0x49, 0x24, 0x92,
    0x49, 0x24, 0x50, 0x00, 0x49, 0x24, 0x92, 0x49, 0x24, 0x50, 0x00, 0x49, 0x24, 0x92, 0x49, 0x24};

/* --- Opus (RFC 6716 section 3) ---------------------------------------------------------------- */

/* Section 3.1, table 2: from 2.5 ms to 60 ms a frame. */
static uint32_t opus_duration(const uint8_t *payload, size_t size) {
    uint8_t config = payload[0] >> 3, code = payload[0] & 3;
    uint32_t frame = 480u << config % 4;
    if (config >= 16)
        frame = (uint32_t)OPUS_UNIT << config % 4;
    else if (config >= 12)
        frame = 480u << config % 2;
    else if (config % 4 == 3)
        frame = 2880;
    uint32_t count = code == 0 ? 1 : code < 3 ? 2 : size > 1 ? payload[1] & 0x3F : 0;
    return frame * count <= OPUS_MAX ? frame * count : 0;
}

/* Frames of no length are those that a sender leaves out; a decoder goes on from the sound before
 * them. The mode is the same whatever the sender chose for its sound: CELT, narrowband, mono;
 * frames as long as fit. */
static size_t opus_silence(uint32_t units, uint8_t *out, size_t room) {
    uint32_t ticks = units * OPUS_UNIT;
    uint8_t longest = 3;
    if (ticks > OPUS_MAX || room < 2)
        return 0;
    while (ticks % (OPUS_UNIT << longest) != 0)
        longest--;
    uint8_t count = (uint8_t)(ticks / (OPUS_UNIT << longest));
    out[0] = (uint8_t)((OPUS_QUIET + longest) << 3 | (count == 1 ? 0 : 3));
    out[1] = count;
    return count == 1 ? 1 : 2;
}

/* --- G.729 and GSM 06.10: frames of one size (RFC 3551 section 4.5) --------------------------- */

static uint32_t g729_duration(const uint8_t *payload, size_t size) {
    (void)payload;
    return (uint32_t)(size / G729_FRAME) * 80;
}

static uint32_t gsm_duration(const uint8_t *payload, size_t size) {
    (void)payload;
    return (uint32_t)(size / GSM_FRAME) * 160;
}

static size_t repeat_frame(const uint8_t *frame, size_t length, size_t count, uint8_t *out, size_t room) {
    if (count > room / length)
        return 0;
    for (size_t i = 0; i < count; i++)
        memcpy(out + i * length, frame, length);
    return count * length;
}

static size_t g729_silence(uint32_t frames, uint8_t *out, size_t room) {
    return repeat_frame(G729_QUIET, G729_FRAME, frames, out, room);
}

static size_t gsm_silence(uint32_t frames, uint8_t *out, size_t room) {
    return repeat_frame(GSM_QUIET, GSM_FRAME, frames, out, room);
}

/* --- AMR and AMR-WB (RFC 4867 section 4), in both packings ------------------------------------ */

/* Frames by the table of contents; 0: it does not end, or is longer than any. */
static uint32_t amr_frames(const uint8_t *payload, size_t size, bool octets) {
    size_t width = octets ? 8 : 6, at = octets ? 8 : 4;
    uint32_t frames = 0;
    bool more = true;
    while (more) {
        if (at + width > 8 * size || frames == AMR_FRAMES_MAX)
            return 0;
        more = payload[at / 8] >> (7 - at % 8) & 1;
        at += width;
        frames++;
    }
    return frames;
}

/* No mode request, then a table of contents in which every frame is NO_DATA (type 15, of good
 * quality). */
static size_t amr_no_data(uint32_t frames, bool octets, uint8_t *out, size_t room) {
    size_t width = octets ? 8 : 6, at = octets ? 8 : 4;
    size_t length = octets ? 1 + (size_t)frames : (4 + 6 * (size_t)frames + 7) / 8;
    if (length > room)
        return 0;
    memset(out, 0, length);
    out[0] = 0xF0;
    for (uint32_t frame = 0; frame < frames; frame++, at += width)
        for (unsigned bit = 0, entry = frame + 1 < frames ? 0x3F : 0x1F; bit < 6; bit++)
            out[(at + bit) / 8] |= (uint8_t)((entry >> (5 - bit) & 1) << (7 - (at + bit) % 8));
    return length;
}

static uint32_t amr_duration(const uint8_t *payload, size_t size) {
    return amr_frames(payload, size, false) * 160;
}
static uint32_t amr_octets_duration(const uint8_t *payload, size_t size) {
    return amr_frames(payload, size, true) * 160;
}
static uint32_t amr_wb_duration(const uint8_t *payload, size_t size) {
    return amr_frames(payload, size, false) * 320;
}
static uint32_t amr_wb_octets_duration(const uint8_t *payload, size_t size) {
    return amr_frames(payload, size, true) * 320;
}
static size_t amr_silence(uint32_t frames, uint8_t *out, size_t room) {
    return amr_no_data(frames, false, out, room);
}
static size_t amr_octets_silence(uint32_t frames, uint8_t *out, size_t room) {
    return amr_no_data(frames, true, out, room);
}

/* --- the table -------------------------------------------------------------------------------- */

struct codec_row {
    uint32_t clock, unit; /* units of the rtp_timestamp: in a second, in the shortest frame */
    uint32_t (*duration)(const uint8_t *payload, size_t size); /* `size` is not 0 */
    size_t (*silence)(uint32_t units, uint8_t *out, size_t room); /* `units`: how many `unit`, at least 1 */
};

static const struct codec_row CODEC_TABLE[CODECS] = {
    [CODEC_NONE] = {8000, 160, NULL, NULL},
    [CODEC_OPUS] = {48000, OPUS_UNIT, opus_duration, opus_silence},
    [CODEC_G729] = {8000, 80, g729_duration, g729_silence},
    [CODEC_GSM] = {8000, 160, gsm_duration, gsm_silence},
    [CODEC_AMR] = {8000, 160, amr_duration, amr_silence},
    [CODEC_AMR_OCTETS] = {8000, 160, amr_octets_duration, amr_octets_silence},
    [CODEC_AMR_WB] = {16000, 320, amr_wb_duration, amr_silence},
    [CODEC_AMR_WB_OCTETS] = {16000, 320, amr_wb_octets_duration, amr_octets_silence},
};

/* Numbers come from Python, too: one that is no codec's is CODEC_NONE. */
static const struct codec_row *codec_row(enum codec codec) {
    return &CODEC_TABLE[(unsigned)codec < CODECS ? codec : CODEC_NONE];
}

uint32_t codec_clock(enum codec codec) { return codec_row(codec)->clock; }

uint32_t codec_duration(enum codec codec, const uint8_t *payload, size_t size) {
    const struct codec_row *row = codec_row(codec);
    return size == 0 || row->duration == NULL ? 0 : row->duration(payload, size);
}

uint32_t codec_silence_ticks(enum codec codec, uint32_t ticks) {
    return ticks - ticks % codec_row(codec)->unit;
}

size_t codec_silence(enum codec codec, uint32_t ticks, uint8_t *out, size_t room) {
    const struct codec_row *row = codec_row(codec);
    uint32_t units = ticks / row->unit;
    return units == 0 || row->silence == NULL ? 0 : row->silence(units, out, room);
}

void codec_constants(const struct constant_sink *sink) { CONSTANTS(sink, OPUS_MAX); }
