/* G.722's lower half band, and noise in it. The reasons are in media/formats/g722.py. */
#include "audio/g722.h"

#include "audio/inband.h"

#include <stdbool.h>

#include <string.h>

enum { G722_MAX = 16383, G722_LOUD = 90 };

static const int G722_STEPS[] = {136,  432,   728,   1040,  1360,  1688,  2032,  2400,  2776,  3168,
                                 3576, 4008,  4464,  4944,  5456,  6000,  6576,  7192,  7856,  8576,
                                 9360, 10232, 11192, 12280, 13512, 14984, 16704, 19008, 21904, 24808};
static const int G722_COARSE[] = {0, 1200, 2584, 4240, 6288, 8968, 12896, 20456};
static const int G722_SCALED[] = {-60, -30, 58, 172, 334, 538, 1198, 3042};
static const int G722_MANTISSA[] = {2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543,
                                    2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025, 3091, 3158, 3228,
                                    3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008};

const uint8_t G722_PLACEHOLDER[BLOCK] = {0xee, 0xf6, 0xfa, 0xfd, 0xfc, 0xfe, 0xd7, 0xfd, 0xd7, 0xd9,
                                         0xd5, 0xd9, 0xdf, 0xf9, 0xdd, 0xfb, 0xf7, 0xf4, 0xf0, 0xf1,
                                         0xf6, 0xf8, 0xf1, 0xfa, 0xdd, 0xdc, 0xdb, 0xff, 0xd7, 0xd8,
                                         0xd2, 0xff, 0xdb, 0xf9, 0xde, 0xfa, 0xf9, 0xf1, 0xf2, 0xf5};

static int limit(int value, int least, int most) {
    return value < least ? least : value > most ? most : value;
}
static int limit16(int value) { return limit(value, -32768, 32767); }

static int fine_step(int code) {
    if (code < 4 || code > 61)
        return -G722_STEPS[code > 61 ? 63 - code : 0];
    return code < 32 ? -G722_STEPS[33 - code] : G722_STEPS[61 - code];
}

/* Which of eight steps it is, of four each. */
static int coarse_size(int coarse) {
    return coarse == 0 || coarse == 15 ? 0 : coarse < 8 ? 8 - coarse : 15 - coarse;
}

void g722_begin(struct g722 *lower) {
    memset(lower, 0, sizeof *lower);
    lower->scale = 32;
}

static void adapt_predictor(struct g722 *lower, int step, int partial) {
    bool turned = (partial < 0) != (lower->partial[0] < 0),
         as_earlier = (partial < 0) == (lower->partial[1] < 0);
    int turn = limit16(4 * lower->poles[0]);
    if (!turned)
        turn = limit16(-turn);
    int second = (turn >> 7) + (as_earlier ? 128 : -128) + ((lower->poles[1] * 32512) >> 15);
    second = limit(second, -12288, 12288);
    int first = (turned ? -192 : 192) + ((lower->poles[0] * 32640) >> 15), most = 15360 - second;
    lower->poles[0] = limit(first, -most, most);
    lower->poles[1] = second;
    lower->partial[1] = lower->partial[0];
    lower->partial[0] = partial;
    for (int i = 0; i < 6; i++) {
        int toward = step == 0 ? 0 : (lower->steps[i] < 0) == (step < 0) ? 128 : -128;
        lower->zeros[i] = ((lower->zeros[i] * 32640) >> 15) + toward;
    }
}

static void predict_sample(struct g722 *lower) {
    int poles = 0, zeros = 0;
    for (int i = 0; i < 2; i++)
        poles += (lower->poles[i] * limit16(2 * lower->whole[i])) >> 15;
    for (int i = 0; i < 6; i++)
        zeros += (lower->zeros[i] * limit16(2 * lower->steps[i])) >> 15;
    lower->from_zeros = limit16(zeros);
    lower->expected = limit16(limit16(poles) + lower->from_zeros);
}

int g722_decode(struct g722 *lower, uint8_t code) {
    int fine = code & 63, coarse = fine >> 2, size = coarse_size(coarse);
    int value = limit(lower->expected + ((lower->scale * fine_step(fine)) >> 15), -G722_MAX - 1, G722_MAX);
    int step = (lower->scale * (coarse < 8 ? -G722_COARSE[size] : G722_COARSE[size])) >> 15;
    lower->scale_log = limit(((lower->scale_log * 127) >> 7) + G722_SCALED[size], 0, 18432);
    lower->scale = ((G722_MANTISSA[lower->scale_log >> 6 & 31] << (lower->scale_log >> 11)) >> 8) << 2;
    adapt_predictor(lower, step, limit16(step + lower->from_zeros));
    lower->whole[1] = lower->whole[0];
    lower->whole[0] = limit16(lower->expected + step);
    memmove(lower->steps + 1, lower->steps, 5 * sizeof *lower->steps);
    lower->steps[0] = step;
    predict_sample(lower);
    return 2 * value;
}

uint8_t g722_noise(unsigned chance, int level) {
    static const uint8_t small[] = {60, 61, 62, 63}, large[] = {52, 54, 24, 26};
    unsigned share = 250;
    for (; level < G722_LOUD && share > 128; share -= 16)
        level = (level + 1) * 181 / 128;
    return (uint8_t)(0xC0 | ((chance & 255) < share ? large : small)[chance >> 8 & 3]);
}
