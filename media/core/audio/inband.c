/* Tones in the audio, 5 ms at a time. The reasons are in media/reference/inband.py. */
#include "audio/inband.h"

#include "audio/simd.h"

#include <math.h>
#include <string.h>

enum { SURE = 5, HANG = 1, APART = 8, RECENT = 60, BEGUN = 14, INBAND_FAINT = 15677, INBAND_LOOKS = 4 };
enum { INBAND_LOOK_MAX = 12, BACK_MAX = 14, LINGERS = 12 };

const int INBAND_FREQUENCIES[LINES] = {697, 770, 852, 941, 1209, 1336, 1477, 1633};
static const int BLOCKS_OF[INBAND_LOOKS] = {4, 6, 8, INBAND_LOOK_MAX};
static const double SHARE_OF[INBAND_LOOKS] = {0.62, 0.54, 0.48, 0.45};
static const double NOW = 0.30, KEEPS = 0.50, STAYS = 0.25, TWIST = 16.0, BEGINS = 0.50;
static const double OFF = 0.056, OFF_FREE = 0.357, INBAND_UNEVEN = 0.1, EVEN = 3.0, BEFORE = 0.15,
                    BESIDE = 0.15;
static const double LENIENT = 0.5, RUN_SHARE_MIN = 0.40, MISS = 0.05, ENOUGH = 1.0, INBAND_NEAR = 0.40;
static const double DEVIATION = 0.028, DEVIATION_LONG = 0.018;

/* The lines side by side: they are added up together. */
static wide_int inband_cosines[BLOCK][2], inband_sines[BLOCK][2];
static double expected_re[LINES], expected_im[LINES], most_across[LINES], most_across_long[LINES];

void inband_prepare(void) {
    const double pi = 3.141592653589793;
    for (int line = 0; line < LINES; line++) {
        for (int n = 0; n < BLOCK; n++) {
            double turn = 2 * pi * INBAND_FREQUENCIES[line] * n / 8000;
            inband_cosines[n][line / 4][line % 4] = (int32_t)nearbyint(INBAND_SCALE * cos(turn));
            inband_sines[n][line / 4][line % 4] = (int32_t)nearbyint(-INBAND_SCALE * sin(turn));
        }
        double advance = 2 * pi * INBAND_FREQUENCIES[line] * BLOCK / 8000;
        expected_re[line] = cos(advance);
        expected_im[line] = sin(advance);
        most_across[line] = sin(advance * DEVIATION);
        most_across_long[line] = sin(advance * DEVIATION_LONG);
    }
}

static void measure_block(struct measured *measured, const int16_t *samples) {
    /* 40 * 32256 * 1024 is less than 2^31. */
    wide_int rows_re = {0}, rows_im = {0}, columns_re = {0}, columns_im = {0};
    int64_t energy = 0;
    for (int n = 0; n < BLOCK; n++) {
        int32_t sample = samples[n];
        rows_re += sample * inband_cosines[n][0];
        rows_im += sample * inband_sines[n][0];
        columns_re += sample * inband_cosines[n][1];
        columns_im += sample * inband_sines[n][1];
        energy += sample * sample;
    }
    const wide_int real[] = {rows_re, columns_re}, imaginary[] = {rows_im, columns_im};
    for (int line = 0; line < LINES; line++) {
        int32_t re = real[line / 4][line % 4], im = imaginary[line / 4][line % 4];
        measured->real[line] = re;
        measured->imaginary[line] = im;
        measured->power[line] = (double)re * (double)re + (double)im * (double)im;
    }
    measured->energy = energy;
}

const struct measured *inband_measured(const struct detector *detector, int back) {
    return &detector->seen[(detector->next - 1 - (uint64_t)back) % KEPT];
}

double inband_added_up(const struct detector *detector, int blocks, int line, double turn_re,
                       double turn_im) {
    double step_re = 1, step_im = 0, sum_re = 0, sum_im = 0;
    for (int back = blocks - 1; back >= 0; back--) {
        double a = inband_measured(detector, back)->real[line],
               b = inband_measured(detector, back)->imaginary[line];
        sum_re += a * step_re - b * step_im;
        sum_im += a * step_im + b * step_re;
        double next_re = step_re * turn_re + step_im * turn_im;
        step_im = step_im * turn_re - step_re * turn_im;
        step_re = next_re;
    }
    return sum_re * sum_re + sum_im * sum_im;
}

static double square_in_step(const struct detector *detector, int blocks, int line, double limit,
                             double *off) {
    double turn_re = 0, turn_im = 0;
    for (int back = blocks - 2; back >= 0; back--) {
        const struct measured *before = inband_measured(detector, back + 1),
                              *after = inband_measured(detector, back);
        double a = before->real[line], b = before->imaginary[line], c = after->real[line],
               d = after->imaginary[line];
        turn_re += c * a + d * b;
        turn_im += d * a - c * b;
    }
    double size = sqrt(turn_re * turn_re + turn_im * turn_im);
    if (size == 0)
        return 0;
    turn_re /= size;
    turn_im /= size;
    double along = turn_re * expected_re[line] + turn_im * expected_im[line];
    double across = turn_im * expected_re[line] - turn_re * expected_im[line];
    if (along <= 0 || across > limit || across < -limit)
        return 0;
    *off = fabs(across) / most_across[line];
    return inband_added_up(detector, blocks, line, turn_re, turn_im);
}

static void strongest_two(const double *powers, int first, int *best, int *next) {
    *best = first;
    for (int line = first + 1; line < first + 4; line++)
        if (powers[line] > powers[*best])
            *best = line;
    *next = -1;
    for (int line = first; line < first + 4; line++)
        if (line != *best && (*next < 0 || powers[line] > powers[*next]))
            *next = line;
}

static double square_on_line(const struct detector *detector, int blocks, int *line, int next, double *off) {
    const double *limits = blocks < 6 ? most_across : most_across_long;
    double square = square_in_step(detector, blocks, *line, limits[*line], off);
    if (square != 0)
        return square;
    *line = next;
    return square_in_step(detector, blocks, next, limits[next], off);
}

static bool stands_out_in_step(const struct detector *detector, int blocks, int line, double square) {
    for (int other = line / 4 * 4; other < line / 4 * 4 + 4; other++)
        if (other != line && inband_added_up(detector, blocks, other, expected_re[other],
                                             expected_im[other]) > BESIDE * square)
            return false;
    return true;
}

/* The power of both lines before the look, over their power in it (`lines`). */
static double share_before(const struct detector *detector, int blocks, int row, int column, double lines) {
    double before = 0;
    int past = 0;
    for (int back = blocks + 3; back > blocks; back--)
        if (back < detector->count) {
            before +=
                inband_measured(detector, back)->power[row] + inband_measured(detector, back)->power[column];
            past++;
        }
    if (past > 0)
        before = before / past / (lines / blocks / blocks);
    return before > 1 ? 1 : before;
}

static struct look look_at(const struct detector *detector, int blocks, double least) {
    const struct look nothing = {.share = 0, .uneven = 1, .before = 1};
    if (detector->count < blocks)
        return nothing;
    int64_t sum = 0;
    double powers[LINES] = {0};
    for (int back = blocks - 1; back >= 0; back--) {
        const struct measured *block = inband_measured(detector, back);
        sum += block->energy;
        for (int line = 0; line < LINES; line++)
            powers[line] += block->power[line];
    }
    double energy = (double)sum;
    if (energy < (double)INBAND_FAINT * blocks * BLOCK)
        return nothing;
    int row, next_row, column, next_column;
    strongest_two(powers, 0, &row, &next_row);
    strongest_two(powers, 4, &column, &next_column);
    double whole = (double)INBAND_SCALE * INBAND_SCALE * BLOCK * energy;
    if (2 * (powers[row] + powers[column]) < least * whole)
        return nothing;
    double low_off = 0, high_off = 0;
    double low = square_on_line(detector, blocks, &row, next_row, &low_off);
    double high = square_on_line(detector, blocks, &column, next_column, &high_off);
    if (low == 0 || high == 0 || low > TWIST * high || high > TWIST * low)
        return nothing;
    double share = 2 * (low + high) / (whole * blocks);
    if (share < least)
        return nothing;
    if (blocks > 4 && !(stands_out_in_step(detector, blocks, row, low) &&
                        stands_out_in_step(detector, blocks, column, high)))
        return nothing;
    return (struct look){
        .share = share,
        .key = row * 4 + column - 4,
        .off = low_off + high_off,
        .uneven = low > high ? low / high : high / low,
        .before = share_before(detector, blocks, row, column, low + high),
    };
}

static double evidence_needed(const struct detector *detector, const struct look *look) {
    const struct look *begun = &detector->begun;
    bool fresh = detector->left > 0 && look->key == begun->key && begun->before < look->before;
    double before = fresh ? begun->before : look->before;
    double off = look->off > OFF_FREE ? look->off - OFF_FREE : 0,
           uneven = look->uneven > EVEN ? look->uneven - EVEN : 0;
    return OFF * off + INBAND_UNEVEN * uneven + BEFORE * sqrt(before);
}

static void note_begun(struct detector *detector, const struct look *now) {
    if (detector->left > 0)
        detector->left--;
    const struct look *begun = &detector->begun;
    if (now->share >= BEGINS &&
        (detector->left == 0 || now->key != begun->key || now->before <= begun->before)) {
        detector->begun = *now;
        detector->left = BEGUN;
    }
}

static void follow_run(struct detector *detector, const struct look *now) {
    struct run *run = &detector->run;
    double speaks = now->share > 0 ? now->share - RUN_SHARE_MIN - evidence_needed(detector, now) : 0;
    run->weight += now->share > 0 && now->key == run->key ? speaks : -MISS;
    if (run->weight > ENOUGH)
        run->weight = ENOUGH;
    run->blocks++;
    if (run->weight <= 0)
        *run = (struct run){
            .weight = speaks > 0 ? speaks : 0, .key = speaks > 0 ? now->key : NO_RUN, .blocks = 1};
}

static struct found find_key(const struct detector *detector, const struct look *now) {
    struct found found = {.blocks = 0, .now = now->share, .now_key = now->key};
    for (int at = 0; at < INBAND_LOOKS && found.blocks == 0; at++) {
        int blocks = BLOCKS_OF[at];
        if (at > 0 && now->share < NOW)
            break;
        const struct look look = at == 0 ? *now : look_at(detector, blocks, SHARE_OF[at]);
        double needed =
            SHARE_OF[at] + evidence_needed(detector, &look) * (blocks == INBAND_LOOK_MAX ? LENIENT : 1.0);
        if (look.share >= needed && look.key == now->key) {
            found.blocks = blocks;
            found.key = look.key;
        }
    }
    if (found.blocks == 0 && detector->run.weight >= ENOUGH && now->share > 0 &&
        now->key == detector->run.key) {
        found.blocks = 4;
        found.key = now->key;
    }
    return found;
}

struct found inband_hear(struct detector *detector, const int16_t *samples) {
    measure_block(&detector->seen[detector->next % KEPT], samples);
    detector->next++;
    if (detector->count < KEPT)
        detector->count++;
    const struct look now = look_at(detector, 4, STAYS);
    note_begun(detector, &now);
    follow_run(detector, &now);
    struct found found = find_key(detector, &now);
    int64_t back = detector->run.blocks + 3;
    if (back > BACK_MAX)
        back = BACK_MAX;
    if (found.blocks > 0 && found.key == detector->run.key && back > found.blocks)
        found.blocks = (int)back;
    return found;
}

void inband_gate_begin(struct gate *gate) { *gate = (struct gate){.until = -1, .seen = -1000, .key = -1}; }

int inband_gate_pass_by(struct gate *gate, int64_t block, const struct found *found) {
    int blocks = found->blocks, key = found->key;
    if (blocks == 0) {
        bool again = found->now_key == gate->key && found->now >= STAYS;
        bool goes_on = block <= gate->until && (gate->sure || found->now >= KEEPS);
        bool lingers = block - gate->seen <= LINGERS && found->now >= INBAND_NEAR;
        if (!again || !(goes_on || lingers || (gate->sure && block - gate->seen <= RECENT)))
            return NOT_SHUT;
        blocks = 4;
        key = found->now_key;
    }
    if (block > gate->until + APART || key != gate->key)
        gate->count = 0;
    if (block > gate->seen + RECENT || key != gate->key)
        gate->sure = false;
    gate->count += found->now >= KEEPS;
    gate->key = key;
    gate->seen = block;
    gate->sure |= gate->count >= SURE;
    int64_t until = block + (gate->count >= SURE ? HANG_SURE : HANG);
    if (until > gate->until)
        gate->until = until;
    return blocks;
}

void inband_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, BLOCK, INBAND_SCALE, KEPT, HANG_SURE, SURE, HANG, APART, RECENT, BEGUN, INBAND_FAINT,
              BACK_MAX, LINGERS, NOW, KEEPS, STAYS, TWIST, BEGINS, OFF, OFF_FREE, INBAND_UNEVEN, EVEN, BEFORE,
              BESIDE, LENIENT, RUN_SHARE_MIN, MISS, ENOUGH, INBAND_NEAR, DEVIATION, DEVIATION_LONG,
              INBAND_LOOK_MAX);
    CONSTANT_TABLE(sink, INBAND_FREQUENCIES);
    CONSTANT_TABLE(sink, BLOCKS_OF);
    CONSTANT_TABLE(sink, SHARE_OF);
}
