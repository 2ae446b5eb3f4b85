/* Payloads that say nothing, codec by codec. The twin of media/codecs.py and the payload formats that it names. */
#include "mask/queue.h"

#include <string.h>

enum { G729_FRAME = 10, GSM_FRAME = 33, AMR_MOST = 32, OPUS_LEAST = 120, OPUS_MOST = 5760, OPUS_QUIET = 16 };

/* What an encoder of ITU-T G.729 says of samples that are all 0. */
static const uint8_t G729_QUIET[G729_FRAME] = {0x78, 0x52, 0x80, 0xA0, 0x00, 0xFA, 0xC2, 0x00, 0x07, 0xD6};
/* GSM 06.10 of samples that are all 0: the reflection coefficients of silence, and pulses of no height. */
static const uint8_t GSM_QUIET[GSM_FRAME] = {0xD8, 0x20, 0xA2, 0xE1, 0x5A, 0x50, 0x00, 0x49, 0x24, 0x92, 0x49,
                                             0x24, 0x50, 0x00, 0x49, 0x24, 0x92, 0x49, 0x24, 0x50, 0x00, 0x49,
                                             0x24, 0x92, 0x49, 0x24, 0x50, 0x00, 0x49, 0x24, 0x92, 0x49, 0x24};

static bool is_octets(enum codec codec) { return codec == CODEC_AMR_OCTETS || codec == CODEC_AMR_WB_OCTETS; }

/* The least that there is a frame for, in units of rtp_timestamps. */
static uint32_t unit(enum codec codec) {
    switch (codec) {
    case CODEC_OPUS:
        return OPUS_LEAST;
    case CODEC_G729:
        return 80;
    case CODEC_AMR_WB:
    case CODEC_AMR_WB_OCTETS:
        return 320;
    default:
        return 160;
    }
}

uint32_t codec_clock(enum codec codec) {
    return codec == CODEC_OPUS ? 48000 : codec == CODEC_AMR_WB || codec == CODEC_AMR_WB_OCTETS ? 16000 : 8000;
}

/* --- how long -------------------------------------------------------------------------------------------------------------- */

/* RFC 6716 section 3.1, table 2: from 2.5 ms to 60 ms a frame. */
static uint32_t opus_lasts(const uint8_t *payload, size_t size) {
    uint8_t config = payload[0] >> 3, code = payload[0] & 3;
    uint32_t frame = 480u << config % 4;
    if (config >= 16)
        frame = (uint32_t)OPUS_LEAST << config % 4;
    else if (config >= 12)
        frame = 480u << config % 2;
    else if (config % 4 == 3)
        frame = 2880;
    uint32_t count = code == 0 ? 1 : code < 3 ? 2 : size > 1 ? payload[1] & 0x3F : 0;
    return frame * count <= OPUS_MOST ? frame * count : 0;
}

/* RFC 4867: frames by their table of contents. 0: it does not end, or is longer than any is. */
static uint32_t amr_frames(const uint8_t *payload, size_t size, bool octets) {
    size_t width = octets ? 8 : 6, at = octets ? 8 : 4;
    uint32_t frames = 0;
    bool more = true;
    while (more) {
        if (at + width > 8 * size || frames == AMR_MOST)
            return 0;
        more = payload[at / 8] >> (7 - at % 8) & 1;
        at += width;
        frames++;
    }
    return frames;
}

uint32_t lasts(enum codec codec, const uint8_t *payload, size_t size) {
    if (size == 0)
        return 0;
    switch (codec) {
    case CODEC_OPUS:
        return opus_lasts(payload, size);
    case CODEC_G729:
        return (uint32_t)(size / G729_FRAME) * unit(codec);
    case CODEC_GSM:
        return (uint32_t)(size / GSM_FRAME) * unit(codec);
    case CODEC_AMR:
    case CODEC_AMR_WB:
    case CODEC_AMR_OCTETS:
    case CODEC_AMR_WB_OCTETS:
        return amr_frames(payload, size, is_octets(codec)) * unit(codec);
    default:
        return 0;
    }
}

/* --- nothing ---------------------------------------------------------------------------------------------------------------- */

static size_t repeat(const uint8_t *frame, size_t length, size_t count, uint8_t *out, size_t room) {
    if (count > room / length)
        return 0;
    for (size_t i = 0; i < count; i++)
        memcpy(out + i * length, frame, length);
    return count * length;
}

/* RFC 6716 section 3.1: frames of no length are what a sender leaves out, and a decoder goes on from what it heard before. The
 * mode is the same whatever the sender chose for its sound: CELT, narrowband, mono; frames as long as fit. */
static size_t opus(uint32_t ticks, uint8_t *out, size_t room) {
    uint8_t longest = 3;
    if (ticks > OPUS_MOST || room < 2)
        return 0;
    while (ticks % (OPUS_LEAST << longest) != 0)
        longest--;
    uint8_t count = (uint8_t)(ticks / (OPUS_LEAST << longest));
    out[0] = (uint8_t)((OPUS_QUIET + longest) << 3 | (count == 1 ? 0 : 3));
    out[1] = count;
    return count == 1 ? 1 : 2;
}

/* RFC 4867: no mode request, then a table of contents in which every frame is NO_DATA (type 15, of good quality). */
static size_t amr(uint32_t frames, bool octets, uint8_t *out, size_t room) {
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

uint32_t silence_fits(enum codec codec, uint32_t ticks) { return ticks - ticks % unit(codec); }

size_t silence(enum codec codec, uint32_t ticks, uint8_t *out, size_t room) {
    uint32_t frames = ticks / unit(codec);
    if (frames == 0)
        return 0;
    switch (codec) {
    case CODEC_OPUS:
        return opus(frames * OPUS_LEAST, out, room);
    case CODEC_G729:
        return repeat(G729_QUIET, G729_FRAME, frames, out, room);
    case CODEC_GSM:
        return repeat(GSM_QUIET, GSM_FRAME, frames, out, room);
    case CODEC_AMR:
    case CODEC_AMR_WB:
    case CODEC_AMR_OCTETS:
    case CODEC_AMR_WB_OCTETS:
        return amr(frames, is_octets(codec), out, room);
    default:
        return 0;
    }
}
