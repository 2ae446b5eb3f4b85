/* The canary: listens to audio that leaves for the agent while masked. It shares no code with
 * audio/inband.c and mask/hold.c, which decide.
 *
 * Rule 1: it hears a key as any receiver would: two of the eight tones that hold nearly all of the
 *         sound, for 40 ms.
 * Rule 2: it sees an event as any receiver would, whatever the type of the packet: nothing but
 *         events, and filling behind them.
 * Rule 3: it is strict. A find ends the call's audio, and speech through a mask that works never
 *         causes one. */
#include "audio/canary.h"
#include "audio/simd.h"

#include <math.h>
#include <string.h>

enum { CANARY_RATE = 8000, CANARY_STEP = 80, CANARY_STEPS_NEEDED = 3, CANARY_ROWS = 4, CANARY_NO_KEY = -1 };
#define CANARY_MIN_LEVEL 60.0f /* root mean square, linear: about -48 dBm0 */
#define CANARY_MIN_SHARE 0.80f /* of the energy of 20 ms, both tones together */
#define CANARY_MIN_TONE 0.06f /* of it, the weaker: a twist of 11 dB */

static const int CANARY_HZ[CANARY_LINES] = {697, 770, 852, 941, 1209, 1336, 1477, 1633};
/* Rows and columns; the last: a whole step. */
static wide_float canary_cosine[CANARY_STEP + 1][2], canary_sine[CANARY_STEP + 1][2];

void canary_prepare(void) {
    for (int at = 0; at <= CANARY_STEP; at++)
        for (int line = 0; line < CANARY_LINES; line++) {
            canary_cosine[at][line / CANARY_ROWS][line % CANARY_ROWS] =
                (float)cos(2 * M_PI * CANARY_HZ[line] * at / CANARY_RATE);
            canary_sine[at][line / CANARY_ROWS][line % CANARY_ROWS] =
                (float)sin(2 * M_PI * CANARY_HZ[line] * at / CANARY_RATE);
        }
}

static int strongest_share(const float *share, int from) {
    int best = from;
    for (int i = from + 1; i < from + CANARY_ROWS; i++)
        if (share[i] > share[best])
            best = i;
    return best;
}

/* The key of the 20 ms that two steps make, or CANARY_NO_KEY. */
static int key_of_steps(const struct canary_block *one, const struct canary_block *other) {
    float energy = one->energy + other->energy, share[CANARY_LINES];
    if (energy < CANARY_MIN_LEVEL * CANARY_MIN_LEVEL * 2 * CANARY_STEP)
        return CANARY_NO_KEY;
    for (int i = 0; i < CANARY_LINES; i++) {
        float turn = canary_cosine[CANARY_STEP][i / CANARY_ROWS][i % CANARY_ROWS],
              across = canary_sine[CANARY_STEP][i / CANARY_ROWS][i % CANARY_ROWS];
        float real = one->real[i] + turn * other->real[i] - across * other->imaginary[i];
        float imaginary = one->imaginary[i] + turn * other->imaginary[i] + across * other->real[i];
        share[i] = (real * real + imaginary * imaginary) / (CANARY_STEP * energy);
    }
    int row = strongest_share(share, 0), column = strongest_share(share, CANARY_ROWS);
    bool is_key = share[row] + share[column] >= CANARY_MIN_SHARE && share[row] >= CANARY_MIN_TONE &&
                  share[column] >= CANARY_MIN_TONE;
    return is_key ? row * CANARY_ROWS + column - CANARY_ROWS : CANARY_NO_KEY;
}

static bool end_step(struct canary *canary) {
    int key = key_of_steps(&canary->before, &canary->now);
    canary->run = key != CANARY_NO_KEY && key == canary->key && canary->run > 0 ? canary->run + 1
                                                                                : key != CANARY_NO_KEY;
    canary->key = key;
    canary->before = canary->now;
    memset(&canary->now, 0, sizeof canary->now);
    canary->count = 0;
    return canary->run >= CANARY_STEPS_NEEDED;
}

/* A receiver that reads events from any type would read keys: words of which each is an event, then
 * one octet to the end. */
bool canary_sees(const uint8_t *payload, size_t size) {
    size_t words = size / 4;
    if (words == 0 || payload[0] >> 4 != 0)
        return false;
    bool filled = false;
    for (size_t word = 1; word < words; word++) {
        const uint8_t *now = payload + 4 * word;
        if (filled ? memcmp(now, now - 4, 4) != 0 : now[0] >> 4 != 0 && memcmp(now, now + 1, 3) != 0)
            return false;
        filled = filled || now[0] >> 4 != 0;
    }
    bool rest = size >= 40; /* a line at rest: nothing but one level */
    for (size_t at = 1; at < size; at++)
        rest &= payload[at] == payload[0];
    bool again = !rest, flat = !rest; /* the octets behind the last word */
    for (size_t at = 4 * words; at < size; at++) {
        again &= !filled && payload[at] == payload[at - 4 * words];
        flat &= payload[at] == payload[filled ? at - 1 : 4 * words];
    }
    return again || flat;
}

/* At most to the end of the step that has begun. */
static void add_samples(struct canary_block *block, const int16_t *samples, size_t count, unsigned from) {
    wide_float real[2], imaginary[2];
    memcpy(real, block->real, sizeof real);
    memcpy(imaginary, block->imaginary, sizeof imaginary);
    float energy = block->energy;
    for (size_t i = 0; i < count; i++) {
        float sample = samples[i];
        real[0] += sample * canary_cosine[from + i][0];
        real[1] += sample * canary_cosine[from + i][1];
        imaginary[0] += sample * canary_sine[from + i][0];
        imaginary[1] += sample * canary_sine[from + i][1];
        energy += sample * sample;
    }
    memcpy(block->real, real, sizeof real);
    memcpy(block->imaginary, imaginary, sizeof imaginary);
    block->energy = energy;
}

bool canary_hears(struct canary *canary, const int16_t *samples, size_t count) {
    bool is_key = false;
    while (count > 0) {
        size_t part = CANARY_STEP - canary->count < count ? CANARY_STEP - canary->count : count;
        add_samples(&canary->now, samples, part, canary->count);
        samples += part;
        count -= part;
        canary->count += (unsigned)part;
        if (canary->count == CANARY_STEP)
            is_key |= end_step(canary);
    }
    return is_key;
}
