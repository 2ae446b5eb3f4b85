/* G.711: an octet a sample (media/formats/g711.py). */
#ifndef TONEWALL_AUDIO_G711_H
#define TONEWALL_AUDIO_G711_H

#include "audio/coding.h"

#include <stddef.h>
#include <stdint.h>

/* Fills the tables; before any thread starts. */
void g711_prepare(void);
/* A linear sample of 16 bits. `law`: CODING_MU or CODING_A. */
int16_t g711_decode(enum coding law, uint8_t code);
/* The same of `count` octets, into as many samples. */
void g711_decode_all(enum coding law, const uint8_t *codes, size_t count, int16_t *samples);
/* The octet nearest to a linear sample. */
uint8_t g711_encode(enum coding law, int sample);

#endif
