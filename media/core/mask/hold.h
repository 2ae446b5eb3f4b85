/* The hold of masked audio: it leaves only once later audio has been listened to
 * (media/reference/audio_hold.py). */
#ifndef TONEWALL_MASK_HOLD_H
#define TONEWALL_MASK_HOLD_H

#include "audio/canary.h"
#include "audio/coding.h"
#include "audio/g722.h"
#include "audio/inband.h"
#include "audio/sensitive_detector.h"
#include "audio/talk.h"
#include "audio/tones.h"
#include "constants.h"
#include "rtp/rtp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The order of media/mask_policy.py. */
enum policy { POLICY_MASK = 0, POLICY_MUTE_ON_KEY = 1, POLICY_MUTE = 2 };

/* GUARD: blocks, 120 ms: the longest that a tail of tone was seen to come after its event, and as
 * much again. */
enum { GUARD = 24, GUARD_MAX = 6000 };
/* FRAMES wait at most, of FRAME_MAX samples each and HOLD_MAX together. HOLD_BLOCKS: of which it is
 * known whether they are shut. */
enum { FRAMES = 32, FRAME_MAX = 1280, HOLD_MAX = 4096, HOLD_BLOCKS = 160, HOLD_PRESSES = 8, PRESS_LOST = 16 };
/* HOLD_AHEAD: samples, 40 ms, that must have been listened to after a frame before it leaves. */
enum { HOLD_AHEAD = 320 };
/* SILENCE: samples that stand for a longer loss. HOLD_RING: samples that are kept, no block in two
 * pieces. */
enum { SILENCE = 480, HOLD_RING = HOLD_BLOCKS * BLOCK, HOLD_PACKET = RTP_HEADER + FRAME_MAX };
/* A frame is let in where HOLD_MAX samples wait at most. The frames that fill the time before it,
 * and lost samples, come first. Two blocks more: the one before the first that waits, and one that
 * is not whole. */
_Static_assert(HOLD_RING >= HOLD_MAX + SILENCE + FRAME_MAX + 2 * BLOCK, "samples that wait are overwritten");

/* How a block leaves: as it came, as noise, or as the placeholder tone. */
enum { BLOCK_OPEN, BLOCK_NOISY, BLOCK_PLACEHOLDER };

/* How the audio of one mask is treated. */
struct mask_options {
    enum policy policy;
    int guard; /* blocks that a key shuts beyond its end */
    bool tones; /* keys are read from tones, too */
    bool placeholder; /* one tone stands in the place of a press */
};

struct frame {
    uint8_t type;
    bool marker;
    enum coding coding;
    uint16_t seq; /* the number under which it leaves */
    uint32_t timestamp, ssrc;
    int64_t start; /* its first sample, counted from the first of the hold */
    int size; /* samples, and octets */
};

enum { NEVER = -1 };

/* Lives in secret memory only. Positions count samples or blocks from the first of the hold. */
struct hold {
    struct mask_options options;
    bool bound, filled, has_newest;
    uint32_t ssrc, next; /* the rtp_timestamp that would follow */
    int64_t may_fill, passed_ms; /* samples: no more than the time that has passed since the newest audio */
    int64_t sounded_ms; /* when an event or a tone was there last; NEVER */
    int64_t last_ms, total;
    int64_t block, window, filling, tail, missing; /* blocks: the next; the last of each kind */
    int64_t background; /* mean square; negative: not known */
    struct frame newest, frames[FRAMES]; /* the last a ring */
    unsigned first, count;
    int listened_count;
    int16_t listened[BLOCK]; /* the samples of the block that is not whole */
    uint8_t codes[HOLD_RING], shut[HOLD_BLOCKS];
    struct g722 lower; /* the decoder of the audio that comes */
    struct detector detector;
    struct gate gate;
    struct sensitive sensitive;
    struct tones tones;
    struct talk talk; /* since the newest key */
    int presses; /* that were read from tones, and not yet fetched */
    struct span pressed[HOLD_PRESSES];
    struct g722 left; /* the decoder of the audio that has left, as the agent's phone has it */
    struct canary canary; /* of that audio */
};

/* Forgets all, and begins to hold. */
void hold_begin(struct hold *hold, const struct mask_options *options);
/* Listens to one sample at 8 kHz of audio that is not held here. */
void hold_hear(struct hold *hold, int16_t sample);

/* Whether a frame of `size` octets may be held. If so, `hold_fill` and `hold_audio` are to
 * follow. */
bool hold_accepts(struct hold *hold, uint32_t ssrc, uint32_t timestamp, size_t size, int64_t now_ms);
/* The size of the next frame that fills the time before `timestamp`; 0: none is missing. `event`:
 * that time is an event's. */
int hold_lacks(const struct hold *hold, uint32_t timestamp, bool event);
/* Holds a frame of silence, which leaves as `seq`. */
void hold_fill(struct hold *hold, int size, uint16_t seq);
/* Holds a frame: `header.size` octets at `payload`. */
void hold_audio(struct hold *hold, struct frame header, const uint8_t *payload, int64_t now_ms);
/* A packet holds an event: the audio around it is shut. */
void hold_event(struct hold *hold, int64_t now_ms);
/* The same packet, if it is a key's. Whether it begins a press that was captured as a tone
 * before. */
bool hold_key(struct hold *hold, uint32_t ssrc, uint32_t timestamp, int code, uint16_t duration, bool is_new);
/* Fetches the next press that was read from a tone; false: there is none. */
bool hold_pressed(struct hold *hold, struct span *out);
/* Whether nothing has sounded for so long. */
bool hold_is_quiet(const struct hold *hold, int64_t now_ms, int64_t quiet_ms);
/* Nothing more comes for long: audio is shut whose later audio was not listened to. */
void hold_end(struct hold *hold);

/* Gives the numbers that media/reference/audio_hold.py has, too. */
void hold_constants(const struct constant_sink *sink);

#endif
