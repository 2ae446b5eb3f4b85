/* The check on what leaves: audio/canary.c. */
#ifndef TONEWALL_CANARY_H
#define TONEWALL_CANARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CANARY_LINES = 8 };

struct canary_block {
    float real[CANARY_LINES], imaginary[CANARY_LINES], energy;
};

struct canary { /* lives in secret memory only: where it sings it knows the key */
    unsigned count, run;
    int key;
    struct canary_block before, now;
};

void canary_prepare(void); /* the table; before any thread */
/* Whether these samples, after those before, hold a key that a phone or a person would hear. `samples` are linear, 8 kHz. */
bool canary_hears(struct canary *canary, const int16_t *samples, size_t count);
bool canary_sees(const uint8_t *payload, size_t size); /* whether it holds events and nothing else */

#endif
