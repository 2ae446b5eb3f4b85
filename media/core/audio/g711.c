/* G.711 by tables. The twin of media/formats/g711.py. */
#include "audio/g711.h"

enum { G711_BIAS = 132 };

static int bit_length(unsigned value) { return value == 0 ? 0 : 32 - __builtin_clz(value); }

static int16_t g711_linear[2][256];

static int expand_code(enum coding law, uint8_t code) {
    if (law == CODING_MU) {
        code ^= 0xFF;
        int size = ((((code & 0x0F) << 3) + G711_BIAS) << (code >> 4 & 7)) - G711_BIAS;
        return code & 0x80 ? -size : size;
    }
    code ^= 0x55;
    int segment = code >> 4 & 7, size = ((code & 0x0F) << 4) + 8;
    if (segment > 0)
        size = (size + 0x100) << (segment - 1);
    return code & 0x80 ? size : -size;
}

void g711_prepare(void) {
    for (int code = 0; code < 256; code++) {
        g711_linear[CODING_MU][code] = (int16_t)expand_code(CODING_MU, (uint8_t)code);
        g711_linear[CODING_A][code] = (int16_t)expand_code(CODING_A, (uint8_t)code);
    }
}

int16_t g711_decode(enum coding law, uint8_t code) { return g711_linear[law][code]; }

void g711_decode_all(enum coding law, const uint8_t *codes, size_t count, int16_t *samples) {
    const int16_t *table = g711_linear[law];
    for (size_t i = 0; i < count; i++)
        samples[i] = table[codes[i]];
}

uint8_t g711_encode(enum coding law, int sample) {
    int size = sample < 0 ? -sample : sample;
    if (law == CODING_MU) {
        size = (size > 32635 ? 32635 : size) + G711_BIAS;
        int segment = bit_length((unsigned)size) - 8;
        return (uint8_t)(((sample < 0 ? 0x80 : 0) | segment << 4 | (size >> (segment + 3) & 0x0F)) ^ 0xFF);
    }
    size = (size > 32767 ? 32767 : size) >> 4;
    int segment = bit_length((unsigned)size) - 4;
    if (segment < 0)
        segment = 0;
    return (uint8_t)(((sample >= 0 ? 0x80 : 0) | segment << 4 |
                      (size >> (segment > 1 ? segment - 1 : 0) & 0x0F)) ^
                     0x55);
}
