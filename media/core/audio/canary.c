/* The canary: listens to what leaves for the agent while masked, and shares nothing with what decides (audio/inband.c, mask/hold.c).
 *
 * Rule 1: it hears what any receiver would: two of the eight tones that hold nearly all of the sound, for 40 ms.
 * Rule 2: it sees what any receiver of events would, whatever the type says: nothing but events, and what fills them up.
 * Rule 3: it is strict. What it hears ends the call's audio, and speech through a mask that works never has that. */
#include "audio/canary.h"
#include "audio/simd.h"

#include <math.h>
#include <string.h>

enum { RATE = 8000, STEP = 80, STEPS_NEEDED = 3, ROWS = 4, NO_KEY = -1 };
#define LEAST_LEVEL 60.0f /* root mean square, linear: about -48 dBm0 */
#define LEAST_SHARE 0.80f /* of the energy of 20 ms, both tones together */
#define LEAST_TONE 0.06f /* of it, the weaker: a twist of 11 dB */

static const int LINES_HZ[CANARY_LINES] = {697, 770, 852, 941, 1209, 1336, 1477, 1633};
static wide_float cosine[STEP + 1][2], sine[STEP + 1][2]; /* rows and columns; the last: a whole step */

void canary_prepare(void) {
    for (int at = 0; at <= STEP; at++)
        for (int line = 0; line < CANARY_LINES; line++) {
            cosine[at][line / ROWS][line % ROWS] = (float)cos(2 * M_PI * LINES_HZ[line] * at / RATE);
            sine[at][line / ROWS][line % ROWS] = (float)sin(2 * M_PI * LINES_HZ[line] * at / RATE);
        }
}

static int strongest(const float *share, int from) {
    int best = from;
    for (int i = from + 1; i < from + ROWS; i++)
        if (share[i] > share[best])
            best = i;
    return best;
}

/* The key of the 20 ms that two steps make, or NO_KEY. */
static int key_of(const struct canary_block *one, const struct canary_block *other) {
    float energy = one->energy + other->energy, share[CANARY_LINES];
    if (energy < LEAST_LEVEL * LEAST_LEVEL * 2 * STEP)
        return NO_KEY;
    for (int i = 0; i < CANARY_LINES; i++) {
        float turn = cosine[STEP][i / ROWS][i % ROWS], across = sine[STEP][i / ROWS][i % ROWS];
        float real = one->real[i] + turn * other->real[i] - across * other->imaginary[i];
        float imaginary = one->imaginary[i] + turn * other->imaginary[i] + across * other->real[i];
        share[i] = (real * real + imaginary * imaginary) / (STEP * energy);
    }
    int row = strongest(share, 0), column = strongest(share, ROWS);
    bool heard = share[row] + share[column] >= LEAST_SHARE && share[row] >= LEAST_TONE && share[column] >= LEAST_TONE;
    return heard ? row * ROWS + column - ROWS : NO_KEY;
}

static bool step(struct canary *canary) {
    int key = key_of(&canary->before, &canary->now);
    canary->run = key != NO_KEY && key == canary->key && canary->run > 0 ? canary->run + 1 : key != NO_KEY;
    canary->key = key;
    canary->before = canary->now;
    memset(&canary->now, 0, sizeof canary->now);
    canary->count = 0;
    return canary->run >= STEPS_NEEDED;
}

/* Whether a receiver that takes any type for an event's would read keys: words of which each is one, then the same byte. */
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
    bool again = !rest, flat = !rest; /* what is left over */
    for (size_t at = 4 * words; at < size; at++) {
        again &= !filled && payload[at] == payload[at - 4 * words];
        flat &= payload[at] == payload[filled ? at - 1 : 4 * words];
    }
    return again || flat;
}

/* At most to the end of the step that has begun. */
static void add_up(struct canary_block *block, const int16_t *samples, size_t count, unsigned from) {
    wide_float real[2], imaginary[2];
    memcpy(real, block->real, sizeof real);
    memcpy(imaginary, block->imaginary, sizeof imaginary);
    float energy = block->energy;
    for (size_t i = 0; i < count; i++) {
        float sample = samples[i];
        real[0] += sample * cosine[from + i][0];
        real[1] += sample * cosine[from + i][1];
        imaginary[0] += sample * sine[from + i][0];
        imaginary[1] += sample * sine[from + i][1];
        energy += sample * sample;
    }
    memcpy(block->real, real, sizeof real);
    memcpy(block->imaginary, imaginary, sizeof imaginary);
    block->energy = energy;
}

bool canary_hears(struct canary *canary, const int16_t *samples, size_t count) {
    bool heard = false;
    while (count > 0) {
        size_t part = STEP - canary->count < count ? STEP - canary->count : count;
        add_up(&canary->now, samples, part, canary->count);
        samples += part;
        count -= part;
        canary->count += (unsigned)part;
        if (canary->count == STEP)
            heard |= step(canary);
    }
    return heard;
}
