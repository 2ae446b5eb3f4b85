/* The check on audio and payloads that leave while masked. */
#ifndef TONEWALL_AUDIO_CANARY_H
#define TONEWALL_AUDIO_CANARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CANARY_LINES = 8 };

struct canary_block {
    float real[CANARY_LINES], imaginary[CANARY_LINES], energy;
};

/* Where it finds a key it knows the digit: lives in secret memory only. All zeros: nothing has come
 * yet. */
struct canary {
    unsigned count, run;
    int key;
    struct canary_block before, now;
};

/* Fills the table; before any thread starts. */
void canary_prepare(void);
/* Whether these samples, after those before, hold a key that a phone or a person would hear.
 * `samples`: linear, 8 kHz. */
bool canary_hears(struct canary *canary, const int16_t *samples, size_t count);
/* Whether a payload holds telephone-events and nothing else, whatever its type. */
bool canary_sees(const uint8_t *payload, size_t size);

#endif
