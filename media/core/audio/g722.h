/* G.722's lower half band, and noise in it (media/formats/g722.py). */
#ifndef TONEWALL_AUDIO_G722_H
#define TONEWALL_AUDIO_G722_H

#include <stdint.h>

/* The decoder of one stream's lower half band. It holds audio: lives in secret memory only. */
struct g722 {
    int scale, scale_log, expected, from_zeros;
    int poles[2], zeros[6], whole[2], partial[2], steps[6];
};

/* A block of the placeholder tone. */
extern const uint8_t G722_PLACEHOLDER[];

/* A decoder that has decoded nothing. */
void g722_begin(struct g722 *lower);
/* A linear sample of 16 bits, at 8 kHz: one an octet. */
int g722_decode(struct g722 *lower, uint8_t code);
/* An octet of noise of about this level (root mean square, linear), drawn by `chance`. */
uint8_t g722_noise(unsigned chance, int level);

#endif
