/* Key presses read from tones, beside events. The reasons are in media/reference/tones.py. */
#include "audio/tones.h"

enum { TONES_HITS = 5, PARTED = 5, TONES_NEAR = 960, TONES_LOOK = 4 * BLOCK, NO_CODE = -1 };
enum {
    HOLE_MIN = 80,
    HOLE = 200,
    LONG_HOLE = 320,
    TOUCHES = 3,
    OWED = 16,
    KEYING = 16000,
    TONES_FAINT = 200
};

static const double CAPTURES = 0.70, GONE = 0.125, SHOWS = 0.70, WEAKER = 0.03;
static const int TONES_CODES[] = {1, 2, 3, 12, 4, 5, 6, 13, 7, 8, 9, 14, 10, 0, 11, 15};

static int32_t ticks_after(uint32_t a, uint32_t b) { return (int32_t)(a - b); }

static bool are_one_press(const struct span *one, const struct span *other) {
    return one->code == other->code && one->code != NO_CODE &&
           ticks_after(one->first, other->last) <= TONES_NEAR &&
           ticks_after(other->first, one->last) <= TONES_NEAR;
}

void tones_begin(struct tones *tones) {
    *tones = (struct tones){.key = NO_CODE,
                            .column = 4,
                            .apart = PARTED,
                            .shown = NO_CODE,
                            .tone.code = NO_CODE,
                            .event.code = NO_CODE};
}

/* The greatest power of a line in the shortest look. */
static double max_power(const struct detector *detector, int line) {
    double power = 0;
    for (int back = 0; back < 4; back++)
        if (inband_measured(detector, back)->power[line] > power)
            power = inband_measured(detector, back)->power[line];
    return power;
}

static bool is_gone(const struct tones *tones, const struct measured *newest) {
    return newest->power[tones->row] < GONE * tones->row_power ||
           newest->power[tones->column] < GONE * tones->column_power;
}

/* A press began where its key showed first, not where it was beyond doubt: a tail of an event may
 * be long in coming. */
static void note_shown(struct tones *tones, const struct found *found, uint32_t at) {
    int key = found->now > 0 ? TONES_CODES[found->now_key] : NO_CODE;
    /* Away for longer, the same key is another press. */
    bool is_same = key != NO_CODE && key == tones->shown && tones->unseen * BLOCK <= TONES_NEAR;
    tones->unseen = is_same ? 0 : tones->unseen + 1;
    if (key == NO_CODE || is_same || (tones->shown != NO_CODE && tones->unseen < PARTED))
        return;
    tones->shown = key;
    tones->since = at - TONES_LOOK;
    tones->unseen = 0;
}

bool tones_hear(struct tones *tones, const struct found *found, const struct detector *detector,
                uint32_t at) {
    note_shown(tones, found, at);
    int key = found->now >= CAPTURES ? TONES_CODES[found->now_key] : NO_CODE;
    tones->hits = key == tones->key ? tones->hits + 1 : 1;
    tones->key = key;
    bool goes_on = key == tones->tone.code && tones->apart < PARTED;
    if (key == NO_CODE || !(goes_on || tones->hits >= TONES_HITS)) {
        if (tones->apart < PARTED)
            tones->apart += is_gone(tones, inband_measured(detector, 0));
        return false;
    }
    tones->apart = 0;
    tones->row = found->now_key / 4;
    tones->column = found->now_key % 4 + 4;
    tones->row_power = max_power(detector, tones->row);
    tones->column_power = max_power(detector, tones->column);
    if (goes_on) {
        tones->tone.last = at;
        return false;
    }
    uint32_t first = at - TONES_LOOK - (TONES_HITS - 1) * BLOCK;
    if (tones->shown == key && ticks_after(first, tones->since) > 0)
        first = tones->since;
    tones->tone = (struct span){.code = key, .first = first, .last = at};
    tones->is_free = !are_one_press(&tones->event, &tones->tone);
    tones->presses++;
    tones->shared += !tones->is_free;
    return tones->is_free;
}

/* Whether a block has more of a tone than noise has: two lines that hold half of its energy. */
static bool is_tone(const struct measured *block) {
    double row = 0, column = 0, whole = (double)INBAND_SCALE * INBAND_SCALE * BLOCK * (double)block->energy;
    for (int line = 0; line < LINES; line++) {
        double *most = line < LINES / 2 ? &row : &column;
        *most = block->power[line] > *most ? block->power[line] : *most;
    }
    double weaker = row < column ? row : column;
    return block->energy >= TONES_FAINT * BLOCK && 2 * (row + column) >= SHOWS * whole &&
           2 * weaker >= WEAKER * whole;
}

static bool is_known_as_event(const struct tones *tones, uint32_t at) {
    return tones->event.code != NO_CODE && ticks_after(at, tones->event.last) <= TONES_NEAR &&
           ticks_after(tones->event.first, at) <= TONES_NEAR;
}

/* Whether the press of the tone beside the hole is counted: it went up to it, or was found behind
 * it. */
static bool is_counted(const struct tones *tones) {
    return tones->tone.code != NO_CODE && ticks_after(tones->tone.last, tones->hole) > -HOLE;
}

/* A tone touches the hole. Beside a long one, the digit is not known; of a short one enough may be
 * left for a press, now or soon. Whether the press is lost. */
static bool touch_hole(struct tones *tones) {
    tones->watched = 0;
    tones->owed = tones->is_short ? OWED : 0;
    return !tones->is_short && !is_known_as_event(tones, tones->hole);
}

bool tones_hole(struct tones *tones, const struct detector *detector, int lost, uint32_t at) {
    bool touches = false, is_owed = tones->owed > 0; /* of the hole before */
    if (lost < HOLE_MIN)
        return false;
    for (int back = 0; back < TOUCHES && back < detector->count; back++)
        touches |= is_tone(inband_measured(detector, back));
    tones->watched = TOUCHES;
    tones->is_short = lost < HOLE;
    tones->is_long = lost > LONG_HOLE;
    tones->hole = at;
    bool is_keying =
        tones->is_long && tones->tone.code != NO_CODE && ticks_after(at, tones->tone.last) < KEYING;
    bool is_unknown = (touches && touch_hole(tones)) || is_owed || is_keying;
    return is_unknown && !is_known_as_event(tones, at);
}

bool tones_touch(struct tones *tones, const struct detector *detector) {
    bool touches = tones->watched > 0 && is_tone(inband_measured(detector, 0));
    tones->watched -= tones->watched > 0;
    if (touches && touch_hole(tones))
        return true;
    bool begins_keying =
        tones->is_long && tones->hits >= TONES_HITS && ticks_after(tones->tone.last, tones->hole) < KEYING;
    tones->is_long &= !begins_keying;
    if (is_counted(tones))
        tones->owed = 0;
    bool is_due = tones->owed > 0 && --tones->owed == 0;
    return (begins_keying || is_due) && !is_known_as_event(tones, tones->hole);
}

void tones_pause(struct tones *tones) {
    tones->apart = PARTED;
    tones->key = NO_CODE;
    tones->hits = 0;
}

bool tones_event(struct tones *tones, int code, uint32_t first, uint16_t duration, bool is_new) {
    uint32_t last = first + duration;
    if (is_new) {
        tones->event = (struct span){.code = code, .first = first, .last = last};
        bool was_heard = tones->is_free && are_one_press(&tones->event, &tones->tone);
        tones->is_free &= !was_heard;
        tones->shared += was_heard;
        return was_heard;
    }
    if (code == tones->event.code && ticks_after(last, tones->event.last) > 0)
        tones->event.last = last;
    return false;
}

void tones_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, TONES_HITS, PARTED, GONE, TONES_NEAR, TONES_LOOK, HOLE_MIN, HOLE, LONG_HOLE, TOUCHES,
              OWED, KEYING, SHOWS, WEAKER, TONES_FAINT, CAPTURES, NO_CODE);
    CONSTANT_TABLE(sink, TONES_CODES);
}
