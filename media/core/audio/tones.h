/* Key presses read from tones, beside events (media/reference/tones.py). Positions are
 * rtp_timestamps of the audio. */
#ifndef TONEWALL_AUDIO_TONES_H
#define TONEWALL_AUDIO_TONES_H

#include "audio/inband.h"
#include "constants.h"

/* One press in one form: its event code, its first and its last position. */
struct span {
    int code;
    uint32_t first, last;
};

/* It knows digits: lives in secret memory only. */
struct tones {
    int key, hits, apart, row, column;
    int shown, unseen; /* the key that shows, however faintly, and for how many blocks it has not */
    uint32_t since; /* the position where it showed first */
    int watched; /* blocks in which a tone touches the hole before them */
    int owed; /* blocks until a tone that touches a short hole is a press, or is lost */
    bool is_short, is_long; /* the newest hole; a long one may have held a whole key */
    uint32_t hole;
    double row_power, column_power;
    bool is_free;
    struct span tone, event;
    unsigned presses, shared; /* presses that came as tones; of those, as events too */
};

/* Knows of no press. */
void tones_begin(struct tones *tones);
/* Whether the block that ends at `at` makes a press: then `tones->tone` is it. */
bool tones_hear(struct tones *tones, const struct found *found, const struct detector *detector, uint32_t at);
/* The sender has paused: a tone after it is a new press. */
void tones_pause(struct tones *tones);
/* `lost` samples are missing before `at`. Whether that touches a tone: then nobody knows which
 * digit was keyed. */
bool tones_hole(struct tones *tones, const struct detector *detector, int lost, uint32_t at);
/* The same for a tone behind the hole; to be called with each block. */
bool tones_touch(struct tones *tones, const struct detector *detector);
/* Whether this packet of an event begins a press that was counted as a tone before. `duration`: in
 * units of the position. */
bool tones_event(struct tones *tones, int code, uint32_t first, uint16_t duration, bool is_new);

/* Gives the numbers that media/reference/tones.py has, too. */
void tones_constants(const struct constant_sink *sink);

#endif
