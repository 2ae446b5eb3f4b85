/* Tones in the audio, 5 ms at a time (media/reference/inband.py). */
#ifndef TONEWALL_AUDIO_INBAND_H
#define TONEWALL_AUDIO_INBAND_H

#include "constants.h"

#include <stdbool.h>
#include <stdint.h>

/* BLOCK: samples that are looked at together, 5 ms at 8 kHz. LINES: frequencies of DTMF. KEPT:
 * blocks of the longest look. HANG_SURE: blocks for which a press shuts the audio beyond its
 * last. */
enum { BLOCK = 40, LINES = 8, INBAND_SCALE = 1024, KEPT = 16, HANG_SURE = 12, NO_RUN = -1 };
enum { NOT_SHUT = -1 };

extern const int INBAND_FREQUENCIES[LINES]; /* Hz: four rows, four columns */

/* One block on each line. */
struct measured {
    int32_t real[LINES], imaginary[LINES];
    double power[LINES];
    int64_t energy;
};

/* The newest blocks together, as a key. */
struct look {
    double share, off, uneven, before;
    int key;
};

/* Evidence for one key so far, and since when. */
struct run {
    double weight;
    int key;
    int64_t blocks;
};

/* All zeros: nothing was measured yet. */
struct detector {
    struct run run;
    struct look begun;
    int left; /* blocks for which `begun` counts */
    int count; /* of `seen`, a ring */
    uint64_t next; /* block */
    struct measured seen[KEPT];
};

/* The detector's finding in a block: a key in the newest `blocks` (0: none), and a weaker one in
 * the newest four. */
struct found {
    int blocks, key, now_key;
    double now; /* its share of the energy */
};

/* Which blocks are shut because of findings. */
struct gate {
    int64_t until, seen;
    int key, count;
    bool sure;
};

/* Fills the tables; before any thread starts. */
void inband_prepare(void);
/* Takes BLOCK samples: the finding of this block. */
struct found inband_hear(struct detector *detector, const int16_t *samples);
/* A block that was measured; `back` 0 is the newest. Belongs to `detector`. */
const struct measured *inband_measured(const struct detector *detector, int back);
/* The square of one line over the newest blocks, each turned back by its expected advance. */
double inband_added_up(const struct detector *detector, int blocks, int line, double turn_re, double turn_im);

/* A gate that nothing has shut. */
void inband_gate_begin(struct gate *gate);
/* How many blocks before this one are shut because of it; NOT_SHUT: none is, nor itself. */
int inband_gate_pass_by(struct gate *gate, int64_t block, const struct found *found);

/* Gives the numbers that media/reference/inband.py has, too. */
void inband_constants(const struct constant_sink *sink);

#endif
