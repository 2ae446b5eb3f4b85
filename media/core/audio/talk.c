/* Whether somebody talks. The reasons are in media/reference/talk.py. */
#include "audio/talk.h"

#include "audio/inband.h"

enum { TALK_PART = 10, TALK_FLOOR = 15677, TALK_RATIO = 4, TALK_CHANGES = 16 };

static bool differs(int64_t one, int64_t other) {
    int64_t louder = one > other ? one : other, fainter = one > other ? other : one;
    return louder >= TALK_FLOOR && louder >= TALK_RATIO * fainter;
}

void talk_hear(struct talk *talk, int64_t energy) {
    talk->sum += energy;
    if (++talk->blocks < TALK_PART)
        return;
    int64_t mean = talk->sum / (TALK_PART * BLOCK) + 1;
    talk->changes = talk->changes << 1 | (talk->before != 0 && differs(mean, talk->before));
    talk->before = mean;
    talk->sum = talk->blocks = 0;
}

bool talk_goes_on(const struct talk *talk) { return __builtin_popcountll(talk->changes) >= TALK_CHANGES; }

void talk_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, TALK_PART, TALK_FLOOR, TALK_RATIO, TALK_CHANGES);
}
