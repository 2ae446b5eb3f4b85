/* A more sensitive detector of tones, for the seconds after a key
 * (media/reference/sensitive_detector.py). */
#ifndef TONEWALL_AUDIO_SENSITIVE_DETECTOR_H
#define TONEWALL_AUDIO_SENSITIVE_DETECTOR_H

#include "audio/inband.h"
#include "constants.h"

/* Blocks are counted from 0. */
struct sensitive {
    int64_t expected, until, lossy;
    int certain, certain_key, row, key;
};

/* Fills the tables; before any thread starts. */
void sensitive_prepare(void);
/* Expects no key. */
void sensitive_begin(struct sensitive *sensitive);
/* A key is beyond doubt in this block: more are expected. */
void sensitive_expect(struct sensitive *sensitive, int64_t block);
/* Packets were lost before this block. */
void sensitive_after_loss(struct sensitive *sensitive, int64_t block);
/* How many blocks before this one are shut because of it; 0: none is, nor itself. `sure`: the gate
 * has a press here. */
int sensitive_hear(struct sensitive *sensitive, int64_t block, const struct found *found,
                   const struct detector *detector, bool sure);

/* Gives the numbers that media/reference/sensitive_detector.py has, too. */
void sensitive_detector_constants(const struct constant_sink *sink);

#endif
