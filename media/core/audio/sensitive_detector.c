/* A more sensitive detector of tones, where keys are expected. The reasons are in
 * media/reference/sensitive_detector.py. */
#include "audio/sensitive_detector.h"

#include <math.h>

enum {
    EXPECTED = 1000,
    AFTER_LOSS = 24,
    CERTAIN_FOR = 5,
    SENSITIVE_SHORT = 4,
    SENSITIVE_LONG = 8,
    IN_A_ROW = 2,
    WAYS = 3,
    AS_IS = 1
};

static const double CERTAIN = 0.70, SHORT_MIN = 0.40, LOSSY_MIN = 0.20, LONG_MIN = 0.34, STANDS_OUT = 2.5,
                    STANDS_OUT_LOSSY = 1.4, SENSITIVE_UNEVEN = 40, SENSITIVE_FAINT = 200;
static const double DETUNED[WAYS] = {-0.012, 0, 0.012};

static double turn_re[LINES][WAYS], turn_im[LINES][WAYS];

void sensitive_prepare(void) {
    const double pi = 3.141592653589793;
    for (int line = 0; line < LINES; line++)
        for (int way = 0; way < WAYS; way++) {
            double advance = 2 * pi * INBAND_FREQUENCIES[line] * (1 + DETUNED[way]) * BLOCK / 8000;
            turn_re[line][way] = cos(advance);
            turn_im[line][way] = sin(advance);
        }
}

void sensitive_begin(struct sensitive *sensitive) {
    *sensitive = (struct sensitive){.expected = -1, .until = -1, .lossy = -1, .certain_key = -1, .key = -1};
}

void sensitive_expect(struct sensitive *sensitive, int64_t block) {
    if (sensitive->expected < block + EXPECTED)
        sensitive->expected = block + EXPECTED;
}

void sensitive_after_loss(struct sensitive *sensitive, int64_t block) {
    if (sensitive->expected < block + AFTER_LOSS)
        sensitive->expected = block + AFTER_LOSS;
    sensitive->lossy = block + AFTER_LOSS;
}

struct glance {
    double share;
    int key;
    bool is_clear; /* both lines stand out, and neither is much the stronger */
};

static int strongest_of_four(const double *power, int first) {
    int best = first;
    for (int line = first + 1; line < first + 4; line++)
        if (power[line] > power[best])
            best = line;
    return best;
}

static bool stands_out_by(const double *power, int best, double by) {
    for (int line = best / 4 * 4; line < best / 4 * 4 + 4; line++)
        if (line != best && power[best] < by * power[line])
            return false;
    return true;
}

static struct glance glance_at(const struct detector *detector, int blocks, double least, double by,
                               int first_way, int last_way) {
    const struct glance nothing = {.key = -1};
    double energy = 0, power[LINES] = {0};
    for (int back = blocks - 1; back >= 0; back--) {
        const struct measured *block = inband_measured(detector, back);
        energy += (double)block->energy;
        for (int line = 0; line < LINES; line++)
            power[line] += block->power[line];
    }
    double whole = (double)INBAND_SCALE * INBAND_SCALE * BLOCK * energy;
    if (energy < SENSITIVE_FAINT * blocks * BLOCK ||
        /* In step it cannot be more. */
        2 * (power[strongest_of_four(power, 0)] + power[strongest_of_four(power, 4)]) < least * whole)
        return nothing;
    for (int line = 0; line < LINES; line++) {
        power[line] = 0;
        for (int way = first_way; way <= last_way; way++) {
            double square = inband_added_up(detector, blocks, line, turn_re[line][way], turn_im[line][way]);
            if (square > power[line])
                power[line] = square;
        }
    }
    int row = strongest_of_four(power, 0), column = strongest_of_four(power, 4);
    double low = power[row], high = power[column];
    bool is_even = low <= SENSITIVE_UNEVEN * high && high <= SENSITIVE_UNEVEN * low;
    return (struct glance){
        .share = 2 * (low + high) / (whole * blocks),
        .key = row * 4 + column - 4,
        .is_clear = is_even && stands_out_by(power, row, by) && stands_out_by(power, column, by),
    };
}

static int blocks_seen(struct sensitive *sensitive, const struct detector *detector, bool lossy) {
    double least = lossy ? LOSSY_MIN : SHORT_MIN;
    const struct glance brief =
        glance_at(detector, SENSITIVE_SHORT, least, lossy ? STANDS_OUT_LOSSY : STANDS_OUT, 0, WAYS - 1);
    int key = brief.share >= least && brief.is_clear ? brief.key : -1;
    sensitive->row = key >= 0 && key == sensitive->key ? sensitive->row + 1 : 1;
    sensitive->key = key;
    if (glance_at(detector, SENSITIVE_LONG, LONG_MIN, STANDS_OUT, AS_IS, AS_IS).share >= LONG_MIN)
        return SENSITIVE_LONG;
    return key >= 0 && sensitive->row >= (lossy ? 1 : IN_A_ROW) ? SENSITIVE_SHORT + IN_A_ROW - 1 : 0;
}

int sensitive_hear(struct sensitive *sensitive, int64_t block, const struct found *found,
                   const struct detector *detector, bool sure) {
    bool is_certain = found->now >= CERTAIN;
    sensitive->certain =
        is_certain && found->now_key == sensitive->certain_key ? sensitive->certain + 1 : is_certain;
    sensitive->certain_key = found->now_key;
    if (sure && sensitive->certain >= CERTAIN_FOR)
        sensitive_expect(sensitive, block);
    if (block > sensitive->expected)
        return 0;
    int back = blocks_seen(sensitive, detector, block <= sensitive->lossy);
    if (back > 0)
        sensitive->until = block + 1;
    return back;
}

void sensitive_detector_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, EXPECTED, AFTER_LOSS, CERTAIN, CERTAIN_FOR, SENSITIVE_SHORT, SENSITIVE_LONG, IN_A_ROW,
              SHORT_MIN, LONG_MIN, LOSSY_MIN, STANDS_OUT, STANDS_OUT_LOSSY, SENSITIVE_UNEVEN,
              SENSITIVE_FAINT);
}
