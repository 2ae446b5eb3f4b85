/* Tones in G.711 and the hold that keeps them from the agent: _g711.c, _inband.c, _hold.c. */
#ifndef TONEWALL_HOLD_H
#define TONEWALL_HOLD_H

#include "_canary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- _g711.c (media/g711.py) ------------------------------------------------------------------------------------------ */

enum law { LAW_MU = 0, LAW_A = 1 };

int g711_decode(enum law law, uint8_t code);
uint8_t g711_encode(enum law law, int sample);

/* --- _inband.c (media/inband.py) -------------------------------------------------------------------------------------- */

enum { BLOCK = 40, LINES = 8, KEPT = 12 };

struct measured {
    int32_t real[LINES], imaginary[LINES];
    double power[LINES];
    int64_t energy;
};

struct look {
    double share, off, uneven, before;
    int key;
};

struct detector {
    struct look begun;
    int left; /* blocks for which `begun` counts */
    int count; /* of `seen`, a ring */
    uint64_t next;
    struct measured seen[16];
};

struct found {
    int blocks, key, now_key;
    double now;
};

struct gate {
    int64_t until, seen;
    int key, count;
    bool sure;
};

enum { NOT_SHUT = -1 };

void inband_prepare(void); /* the tables; before any thread */
struct found detector_hear(struct detector *detector, const int16_t *samples);
void gate_begin(struct gate *gate);
/* How many blocks before this one are shut because of it; NOT_SHUT: none is, nor itself. */
int gate_pass_by(struct gate *gate, int64_t block, const struct found *found);

/* --- _hold.c (media/hold.py) ------------------------------------------------------------------------------------------- */

enum policy { POLICY_MASK = 0, POLICY_MUTE_ON_KEY = 1, POLICY_MUTE = 2 };
enum { GUARD = 24, MOST_GUARD = 6000 }; /* blocks: 120 ms, the longest that a tail of tone was seen to come after its event, and as much again */
enum { FRAMES = 16, FRAME_MOST = 1280, HOLD_RING = 8192, HOLD_BLOCKS = 128, RTP_HEADER = 12 };

struct frame {
    uint8_t type;
    bool marker;
    enum law law;
    uint16_t seq;
    uint32_t timestamp, ssrc;
    int64_t start;
    int size;
};

struct hold { /* lives in secret memory only */
    enum policy policy;
    int guard;
    bool bound, filled, has_newest;
    uint32_t ssrc, next;
    int64_t last_ms, total, block, window, background;
    struct frame newest, frames[FRAMES];
    unsigned first, count;
    int heard_count;
    int16_t heard[BLOCK];
    uint8_t codes[HOLD_RING], shut[HOLD_BLOCKS];
    struct detector detector;
    struct gate gate;
    struct canary canary; /* of what has left */
};

void hold_begin(struct hold *hold, enum policy policy, int guard);
void hold_hear(struct hold *hold, int16_t sample); /* 8 kHz; for what is not held here, but heard like it */
bool hold_is_shut(const struct hold *hold, int64_t from, int64_t to); /* whether any block of these samples is */
bool hold_takes(struct hold *hold, uint32_t ssrc, uint32_t timestamp, size_t size, int64_t now_ms);
/* The size of the next frame that fills what lies before `timestamp`; 0: nothing is lacking. */
int hold_lacks(const struct hold *hold, uint32_t timestamp, bool event);
void hold_fill(struct hold *hold, int size, uint16_t seq);
/* `header.size` bytes at `payload`; `header.seq` is what it leaves as. */
void hold_audio(struct hold *hold, struct frame header, const uint8_t *payload, int64_t now_ms);
void hold_event(struct hold *hold, int64_t now_ms);
void hold_end(struct hold *hold); /* nothing more has come for long: what was not looked past is shut */
/* The next packet whose time has come, into `out` (RTP_HEADER + FRAME_MOST bytes); 0: none. */
size_t hold_next(struct hold *hold, bool all_of_it, uint8_t *out);
int64_t hold_due_ms(const struct hold *hold); /* INT64_MAX: nothing waits */

#endif
