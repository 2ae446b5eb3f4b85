/* Audio that stands in the place of audio which is shut. The twin of the noise and the placeholder
 * tone in media/reference/hold_output.py. */
#include "audio/placeholder.h"

#include "audio/g711.h"
#include "audio/g722.h"

#include <math.h>

/* The loudest noise, -50 dBm0; samples of a period, 400 Hz. */
enum { PLACEHOLDER_LOUDEST = 90, TONE_PERIOD = 20 };

/* Half a period. */
static const int16_t PLACEHOLDER_TONE[TONE_PERIOD / 2] = {0,    689,  1311, 1804, 2121,
                                                          2230, 2121, 1804, 1311, 689};

int placeholder_level(int64_t background) {
    int level = (int)sqrt(3 * (double)(background > 0 ? background : 0));
    return level > PLACEHOLDER_LOUDEST ? PLACEHOLDER_LOUDEST : level;
}

static uint8_t noise_octet(enum coding coding, int level, uint32_t timestamp) {
    uint32_t mixed = timestamp * 2654435761u;
    mixed = (mixed ^ mixed >> 15) * 2246822519u;
    mixed ^= mixed >> 13;
    if (coding == CODING_G722)
        return g722_noise(mixed >> 16, level);
    return g711_encode(coding, (((int)(mixed >> 16) - 32768) * level) >> 15);
}

static uint8_t tone_octet(enum coding coding, int place) {
    int half = TONE_PERIOD / 2, sample = PLACEHOLDER_TONE[place % half];
    return coding == CODING_G722 ? G722_PLACEHOLDER[place]
                                 : g711_encode(coding, place / half % 2 ? -sample : sample);
}

void placeholder_noise(enum coding coding, int level, uint32_t timestamp, int count, uint8_t *out) {
    for (int i = 0; i < count; i++)
        out[i] = noise_octet(coding, level, timestamp + (uint32_t)i);
}

void placeholder_tone(enum coding coding, int place, int count, uint8_t *out) {
    for (int i = 0; i < count; i++)
        out[i] = tone_octet(coding, place + i);
}

void placeholder_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, PLACEHOLDER_LOUDEST);
    CONSTANT_TABLE(sink, PLACEHOLDER_TONE);
}
