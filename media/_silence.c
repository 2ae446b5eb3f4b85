/* Payloads that say nothing, codec by codec, as long as what they stand for. */
#include "_queue.h"

#include <string.h>

enum { G729_FRAME = 10, GSM_FRAME = 33, AMR_MOST = 32 };

/* What an encoder of ITU-T G.729 says of samples that are all 0. */
static const uint8_t G729_QUIET[G729_FRAME] = {0x78, 0x52, 0x80, 0xA0, 0x00, 0xFA, 0xC2, 0x00, 0x07, 0xD6};

static size_t repeat(const uint8_t *frame, size_t length, size_t count, uint8_t *out) {
    for (size_t i = 0; i < count; i++)
        memcpy(out + i * length, frame, length);
    return count * length;
}

/* RFC 6716 section 3.1: frames of no length are what a sender leaves out, and a decoder goes on from what it heard before. The
 * mode is the same whatever the sender chose for its sound: CELT up to 20 ms a frame, SILK beyond, narrowband, mono. */
static size_t opus(const uint8_t *payload, size_t size, uint8_t *out) {
    if (size == 0)
        return 0;
    uint8_t config = payload[0] >> 3, code = payload[0] & 3;
    uint8_t length = config < 12 ? config % 4 : config < 16 ? config % 2 : config % 4; /* within its mode */
    uint8_t quiet = config < 12 ? (length < 1 ? 18 : length == 1 ? 19 : length) : config < 16 ? 18 + length : 16 + length;
    uint8_t frames = code == 0 ? 1 : code < 3 ? 2 : size > 1 ? payload[1] & 0x3F : 1;
    out[0] = (uint8_t)(quiet << 3 | (frames == 1 ? 0 : 3));
    out[1] = frames;
    return frames == 0 ? 0 : frames == 1 ? 1 : 2;
}

static unsigned bits(const uint8_t *payload, size_t at, unsigned count) {
    unsigned value = 0;
    for (size_t bit = at; bit < at + count; bit++)
        value = value << 1 | (payload[bit / 8] >> (7 - bit % 8) & 1);
    return value;
}

/* RFC 4867: no mode request, then a table of contents in which every frame is NO_DATA (type 15, of good quality). */
static size_t amr(const uint8_t *payload, size_t size, bool octets, uint8_t *out) {
    unsigned width = octets ? 8 : 6;
    size_t frames = 0, at = octets ? 8 : 4;
    bool more = true;
    while (more) {
        if (at + width > 8 * size || frames == AMR_MOST)
            return 0;
        more = bits(payload, at, 1);
        at += width;
        frames++;
    }
    size_t length = octets ? 1 + frames : (4 + 6 * frames + 7) / 8;
    memset(out, 0, length);
    out[0] = 0xF0;
    at = octets ? 8 : 4;
    for (size_t frame = 0; frame < frames; frame++, at += width)
        for (unsigned bit = 0, entry = frame + 1 < frames ? 0x3F : 0x1F; bit < 6; bit++)
            out[(at + bit) / 8] |= (uint8_t)((entry >> (5 - bit) & 1) << (7 - (at + bit) % 8));
    return length;
}

size_t silence(enum codec codec, const uint8_t *payload, size_t size, uint8_t *out) {
    /* GSM 06.10 of samples that are all 0: the reflection coefficients of silence, and pulses of no height. */
    static const uint8_t GSM_QUIET[GSM_FRAME] = {0xD8, 0x20, 0xA2, 0xE1, 0x5A, 0x50, 0x00, 0x49, 0x24, 0x92, 0x49,
                                                 0x24, 0x50, 0x00, 0x49, 0x24, 0x92, 0x49, 0x24, 0x50, 0x00, 0x49,
                                                 0x24, 0x92, 0x49, 0x24, 0x50, 0x00, 0x49, 0x24, 0x92, 0x49, 0x24};
    switch (codec) {
    case CODEC_OPUS:
        return opus(payload, size, out);
    case CODEC_G729:
        return repeat(G729_QUIET, G729_FRAME, size / G729_FRAME, out);
    case CODEC_GSM:
        return repeat(GSM_QUIET, GSM_FRAME, size / GSM_FRAME, out);
    case CODEC_AMR:
    case CODEC_AMR_WB:
        return amr(payload, size, false, out);
    case CODEC_AMR_OCTETS:
    case CODEC_AMR_WB_OCTETS:
        return amr(payload, size, true, out);
    default:
        return 0;
    }
}
