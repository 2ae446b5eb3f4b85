/* Audio that stands in the place of audio which is shut: noise as loud as the line's, or one tone,
 * the same for all keys. */
#ifndef TONEWALL_AUDIO_PLACEHOLDER_H
#define TONEWALL_AUDIO_PLACEHOLDER_H

#include "audio/coding.h"
#include "constants.h"

#include <stdint.h>

/* The level of noise (root mean square, linear, at most -50 dBm0) for a background of this mean
 * square. */
int placeholder_level(int64_t background);
/* Writes `count` octets of noise. They depend on nothing but the level and the rtp_timestamp of the
 * first. */
void placeholder_noise(enum coding coding, int level, uint32_t timestamp, int count, uint8_t *out);
/* Writes `count` octets of the tone. `place`: the first one's place in its block. */
void placeholder_tone(enum coding coding, int place, int count, uint8_t *out);

/* Gives the numbers that media/reference/hold_output.py has, too. */
void placeholder_constants(const struct constant_sink *sink);

#endif
