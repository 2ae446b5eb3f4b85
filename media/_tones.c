/* Keys that are heard, beside events. The twin of media/tones.py, where the reasons stand. */
#include "_hold.h"

enum { HITS = 5, PARTED = 5, NEAR = 960, LOOK = 4 * BLOCK, NO_CODE = -1 };

static const double CAPTURES = 0.70, GONE = 0.125;
static const int CODES[] = {1, 2, 3, 12, 4, 5, 6, 13, 7, 8, 9, 14, 10, 0, 11, 15};

static int32_t ahead(uint32_t a, uint32_t b) { return (int32_t)(a - b); }

static bool is_near(const struct span *one, const struct span *other) {
    return one->code == other->code && one->code != NO_CODE && ahead(one->first, other->last) <= NEAR &&
           ahead(other->first, one->last) <= NEAR;
}

void tones_begin(struct tones *tones) {
    *tones = (struct tones){.key = NO_CODE, .column = 4, .apart = PARTED, .tone.code = NO_CODE, .event.code = NO_CODE};
}

/* The most power of a line in the shortest look. */
static double most(const struct detector *detector, int line) {
    double power = 0;
    for (int back = 0; back < 4; back++)
        if (detector_seen(detector, back)->power[line] > power)
            power = detector_seen(detector, back)->power[line];
    return power;
}

static bool is_gone(const struct tones *tones, const struct measured *newest) {
    return newest->power[tones->row] < GONE * tones->row_power || newest->power[tones->column] < GONE * tones->column_power;
}

bool tones_hear(struct tones *tones, const struct found *found, const struct detector *detector, uint32_t at) {
    int key = found->now >= CAPTURES ? CODES[found->now_key] : NO_CODE;
    tones->hits = key == tones->key ? tones->hits + 1 : 1;
    tones->key = key;
    bool goes_on = key == tones->tone.code && tones->apart < PARTED;
    if (key == NO_CODE || !(goes_on || tones->hits >= HITS)) {
        if (tones->apart < PARTED)
            tones->apart += is_gone(tones, detector_seen(detector, 0));
        return false;
    }
    tones->apart = 0;
    tones->row = found->now_key / 4;
    tones->column = found->now_key % 4 + 4;
    tones->row_power = most(detector, tones->row);
    tones->column_power = most(detector, tones->column);
    if (goes_on) {
        tones->tone.last = at;
        return false;
    }
    tones->tone = (struct span){.code = key, .first = at - LOOK - (HITS - 1) * BLOCK, .last = at};
    tones->is_free = !is_near(&tones->event, &tones->tone);
    return tones->is_free;
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
        bool was_heard = tones->is_free && is_near(&tones->event, &tones->tone);
        tones->is_free &= !was_heard;
        return was_heard;
    }
    if (code == tones->event.code && ahead(last, tones->event.last) > 0)
        tones->event.last = last;
    return false;
}
