/* Tones in G.711 and G.722, and the hold that keeps them from the agent: audio/g711.c, audio/g722.c, audio/inband.c, audio/tones.c,
 * mask/hold.c. */
#ifndef TONEWALL_HOLD_H
#define TONEWALL_HOLD_H

#include "audio/canary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum coding { CODING_MU = 0, CODING_A = 1, CODING_G722 = 2 }; /* media/formats/coding.py */

/* --- audio/g711.c (media/formats/g711.py) ------------------------------------------------------------------------------------------ */

void g711_prepare(void); /* the tables; before any thread */
int16_t g711_decode(enum coding law, uint8_t code);
void g711_hear(enum coding law, const uint8_t *codes, size_t count, int16_t *samples);
uint8_t g711_encode(enum coding law, int sample);

/* --- audio/g722.c (media/formats/g722.py) ------------------------------------------------------------------------------------------ */

struct g722 { /* the lower half band of one stream; it knows what was said: lives in secret memory only */
    int scale, scale_log, expected, from_zeros;
    int poles[2], zeros[6], whole[2], partial[2], steps[6];
};

void g722_begin(struct g722 *lower);
int g722_hear(struct g722 *lower, uint8_t code);
uint8_t g722_quiet(unsigned chance, int level);
extern const uint8_t G722_FLAT[]; /* a block */

/* --- audio/inband.c (media/reference/inband.py) -------------------------------------------------------------------------------------- */

enum { BLOCK = 40, LINES = 8, INBAND_SCALE = 1024, KEPT = 16, HANG_SURE = 12, NO_RUN = -1 };

struct measured {
    int32_t real[LINES], imaginary[LINES];
    double power[LINES];
    int64_t energy;
};

struct look {
    double share, off, uneven, before;
    int key;
};

struct run { /* what has spoken for one key so far, and since when */
    double weight;
    int key;
    int64_t blocks;
};

struct detector {
    struct run run;
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

extern const int INBAND_FREQUENCIES[LINES]; /* Hz */
void inband_prepare(void); /* the tables; before any thread */
const struct measured *detector_seen(const struct detector *detector, int back); /* 0 is the newest */
/* The square of one line over the newest blocks, each turned back by what it is to have advanced. */
double detector_added_up(const struct detector *detector, int blocks, int line, double turn_re, double turn_im);
struct found detector_hear(struct detector *detector, const int16_t *samples);
void gate_begin(struct gate *gate);
/* How many blocks before this one are shut because of it; NOT_SHUT: none is, nor itself. */
int gate_pass_by(struct gate *gate, int64_t block, const struct found *found);

/* --- audio/suspicion.c (media/reference/suspicion.py) -------------------------------------------------------------------------------- */

struct suspicion { /* blocks are counted from 0 */
    int64_t expected, until, lossy;
    int certain, certain_key, row, key;
};

void suspicion_prepare(void); /* the tables; before any thread */
void suspicion_begin(struct suspicion *suspicion);
void suspicion_expect(struct suspicion *suspicion, int64_t block); /* a key is beyond doubt */
void suspicion_after_loss(struct suspicion *suspicion, int64_t block); /* packets were lost before it */
/* How many blocks before this one are shut because of it; 0: none is, nor itself. `sure`: the gate has a press here. */
int suspicion_hear(struct suspicion *suspicion, int64_t block, const struct found *found, const struct detector *detector,
                   bool sure);

/* --- audio/tones.c (media/reference/tones.py) ---------------------------------------------------------------------------------------- */

struct span { /* of one press in one form */
    int code;
    uint32_t first, last;
};

struct tones { /* lives in secret memory only: it knows what was keyed */
    int key, hits, apart, row, column;
    int shown, unseen; /* the key that shows, however faintly, and for how many blocks it has not */
    uint32_t since; /* when it showed first */
    int watched; /* blocks in which a tone touches the hole before them */
    int owed;    /* blocks until a tone that touches a short hole is a press, or nobody knows */
    bool is_short, is_long; /* the newest hole; a long one may have held a whole key */
    uint32_t hole;
    double row_power, column_power;
    bool is_free;
    struct span tone, event;
};

void tones_begin(struct tones *tones);
/* Whether the block that ends at `at` makes a press: then `tones->tone` is it. */
bool tones_hear(struct tones *tones, const struct found *found, const struct detector *detector, uint32_t at);
void tones_pause(struct tones *tones);
/* So many samples were lost, before `at`. Whether it touches a tone: then nobody knows what was keyed. */
bool tones_hole(struct tones *tones, const struct detector *detector, int lost, uint32_t at);
/* The same for a tone behind it, with each block. */
bool tones_touch(struct tones *tones, const struct detector *detector);
/* Whether this packet begins a press that was heard as a tone, and counted, before. */
bool tones_event(struct tones *tones, int code, uint32_t first, uint16_t duration, bool is_new);

/* --- mask/hold.c (media/reference/hold.py) ------------------------------------------------------------------------------------------- */

enum policy { POLICY_MASK = 0, POLICY_MUTE_ON_KEY = 1, POLICY_MUTE = 2 };
enum { GUARD = 24, MOST_GUARD = 6000 }; /* blocks: 120 ms, the longest that a tail of tone was seen to come after its event, and as much again */
enum { FRAMES = 32, FRAME_MOST = 1280, HOLD_MOST = 4096, HOLD_BLOCKS = 160, HOLD_PRESSES = 8, PRESS_LOST = 16, RTP_HEADER = 12, SILENCE = 480 };
enum { HOLD_RING = HOLD_BLOCKS * BLOCK }; /* no block in two pieces */
/* A frame is taken where HOLD_MOST samples wait at most. What fills the time before it, and what was lost, then comes first. Two
 * blocks more: the one before the first that waits, and one that is not whole. */
_Static_assert(HOLD_RING >= HOLD_MOST + SILENCE + FRAME_MOST + 2 * BLOCK, "what waits is overwritten");

struct manner {
    enum policy policy;
    int guard;
    bool tones, flat;
};

struct frame {
    uint8_t type;
    bool marker;
    enum coding coding;
    uint16_t seq;
    uint32_t timestamp, ssrc;
    int64_t start;
    int size;
};

enum { NEVER = -1 };

struct hold { /* lives in secret memory only */
    struct manner manner;
    bool bound, filled, has_newest;
    uint32_t ssrc, next;
    int64_t may_fill, passed_ms; /* samples: no more than the time that has passed since the newest audio */
    int64_t sounded_ms; /* when an event or a tone was there last; NEVER */
    int64_t last_ms, total, block, window, filling, tail, background, missing;
    struct frame newest, frames[FRAMES];
    unsigned first, count;
    int heard_count;
    int16_t heard[BLOCK];
    uint8_t codes[HOLD_RING], shut[HOLD_BLOCKS];
    struct g722 lower;
    struct detector detector;
    struct gate gate;
    struct suspicion suspicion;
    struct tones tones;
    int presses; /* that were heard, and not yet asked for */
    struct span pressed[HOLD_PRESSES];
    struct g722 left; /* what has left, as the agent's phone decodes it */
    struct canary canary; /* of that */
};

void hold_begin(struct hold *hold, const struct manner *manner);
void hold_hear(struct hold *hold, int16_t sample); /* 8 kHz; for what is not held here, but heard like it */
bool hold_is_shut(const struct hold *hold, int64_t from, int64_t to); /* whether any block of these samples is */
bool hold_takes(struct hold *hold, uint32_t ssrc, uint32_t timestamp, size_t size, int64_t now_ms);
/* The size of the next frame that fills what lies before `timestamp`; 0: nothing is lacking. */
int hold_lacks(const struct hold *hold, uint32_t timestamp, bool event);
void hold_fill(struct hold *hold, int size, uint16_t seq);
/* `header.size` bytes at `payload`; `header.seq` is what it leaves as. */
void hold_audio(struct hold *hold, struct frame header, const uint8_t *payload, int64_t now_ms);
void hold_event(struct hold *hold, int64_t now_ms);
/* The same packet, if it is a key's. Whether it begins a press that was told of before, as a tone. */
bool hold_key(struct hold *hold, uint32_t ssrc, uint32_t timestamp, int code, uint16_t duration, bool is_new);
bool hold_pressed(struct hold *hold, struct span *out); /* the next press that was heard; false: none */
bool hold_is_quiet(const struct hold *hold, int64_t now_ms, int64_t quiet_ms); /* nothing has sounded for so long */
void hold_end(struct hold *hold); /* nothing more has come for long: what was not looked past is shut */
enum { HOLD_PACKET = RTP_HEADER + FRAME_MOST };
/* The next packet whose time has come; 0: none. */
size_t hold_next(struct hold *hold, bool all_of_it, uint8_t out[HOLD_PACKET]);
int64_t hold_due_ms(const struct hold *hold); /* INT64_MAX: nothing waits */

#endif
