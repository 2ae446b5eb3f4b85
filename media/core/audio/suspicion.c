/* A more sensitive detector of tones, where keys are expected. The reasons are in
 * media/reference/sensitive_detector.py. */
#include "audio/suspicion.h"

#include <math.h>

enum {
    EXPECTED = 1000,
    AFTER_LOSS = 24,
    CERTAIN_FOR = 5,
    SUSPICION_SHORT = 4,
    SUSPICION_LONG = 8,
    IN_A_ROW = 2,
    WAYS = 3,
    AS_IS = 1
};

static const double CERTAIN = 0.70, LEAST_SHORT = 0.40, LEAST_LOSSY = 0.20, LEAST_LONG = 0.34,
                    STANDS_OUT = 2.5, STANDS_OUT_LOSSY = 1.4, SUSPICION_UNEVEN = 40, SUSPICION_FAINT = 200;
static const double DETUNED[WAYS] = {-0.012, 0, 0.012};

static double turn_re[LINES][WAYS], turn_im[LINES][WAYS];

void suspicion_prepare(void) {
    const double pi = 3.141592653589793;
    for (int line = 0; line < LINES; line++)
        for (int way = 0; way < WAYS; way++) {
            double advance = 2 * pi * INBAND_FREQUENCIES[line] * (1 + DETUNED[way]) * BLOCK / 8000;
            turn_re[line][way] = cos(advance);
            turn_im[line][way] = sin(advance);
        }
}

void suspicion_begin(struct suspicion *suspicion) {
    *suspicion = (struct suspicion){.expected = -1, .until = -1, .lossy = -1, .certain_key = -1, .key = -1};
}

void suspicion_expect(struct suspicion *suspicion, int64_t block) {
    if (suspicion->expected < block + EXPECTED)
        suspicion->expected = block + EXPECTED;
}

void suspicion_after_loss(struct suspicion *suspicion, int64_t block) {
    if (suspicion->expected < block + AFTER_LOSS)
        suspicion->expected = block + AFTER_LOSS;
    suspicion->lossy = block + AFTER_LOSS;
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
    if (energy < SUSPICION_FAINT * blocks * BLOCK ||
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
    bool is_even = low <= SUSPICION_UNEVEN * high && high <= SUSPICION_UNEVEN * low;
    return (struct glance){
        .share = 2 * (low + high) / (whole * blocks),
        .key = row * 4 + column - 4,
        .is_clear = is_even && stands_out_by(power, row, by) && stands_out_by(power, column, by),
    };
}

static int blocks_seen(struct suspicion *suspicion, const struct detector *detector, bool lossy) {
    double least = lossy ? LEAST_LOSSY : LEAST_SHORT;
    const struct glance brief =
        glance_at(detector, SUSPICION_SHORT, least, lossy ? STANDS_OUT_LOSSY : STANDS_OUT, 0, WAYS - 1);
    int key = brief.share >= least && brief.is_clear ? brief.key : -1;
    suspicion->row = key >= 0 && key == suspicion->key ? suspicion->row + 1 : 1;
    suspicion->key = key;
    if (glance_at(detector, SUSPICION_LONG, LEAST_LONG, STANDS_OUT, AS_IS, AS_IS).share >= LEAST_LONG)
        return SUSPICION_LONG;
    return key >= 0 && suspicion->row >= (lossy ? 1 : IN_A_ROW) ? SUSPICION_SHORT + IN_A_ROW - 1 : 0;
}

int suspicion_hear(struct suspicion *suspicion, int64_t block, const struct found *found,
                   const struct detector *detector, bool sure) {
    bool is_certain = found->now >= CERTAIN;
    suspicion->certain =
        is_certain && found->now_key == suspicion->certain_key ? suspicion->certain + 1 : is_certain;
    suspicion->certain_key = found->now_key;
    if (sure && suspicion->certain >= CERTAIN_FOR)
        suspicion_expect(suspicion, block);
    if (block > suspicion->expected)
        return 0;
    int back = blocks_seen(suspicion, detector, block <= suspicion->lossy);
    if (back > 0)
        suspicion->until = block + 1;
    return back;
}

void suspicion_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, EXPECTED, AFTER_LOSS, CERTAIN, CERTAIN_FOR, SUSPICION_SHORT, SUSPICION_LONG, IN_A_ROW,
              LEAST_SHORT, LEAST_LONG, LEAST_LOSSY, STANDS_OUT, STANDS_OUT_LOSSY, SUSPICION_UNEVEN,
              SUSPICION_FAINT);
}
