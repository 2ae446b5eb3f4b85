/* One key press, one digit. The twin of media/reference/reassembly.py. */
#include "rtp/wire.h"

#include <string.h>

enum { REPLAY_GAP_MS = 250, SEGMENT = 0xFFFF, LONG_SEGMENT = 0xF000, ORDER_MS = 250, REORDER_TICKS = 96000, FAR = 12 };

static int ahead(uint16_t a, uint16_t b) { return (int16_t)(uint16_t)(a - b); }

static void add(struct press *press, const struct arrival *arrival) {
    press->last_ms = arrival->now_ms;
    press->ended |= arrival->end;
    press->withheld |= arrival->masked;
    if (arrival->duration > press->duration)
        press->duration = arrival->duration;
    if (arrival->copy)
        return;
    if (ahead(arrival->seq, press->newest) > 0)
        press->newest = arrival->seq;
    if (!press->doubted && ahead(arrival->seq, press->first) < 0)
        press->first = arrival->seq;
}

/* Late, a copy, or a recording that is played again. */
static enum what repeated(struct press *press, uint16_t seq, bool begins, bool rested) {
    if (begins) {
        press->doubted = true;
        press->doubt = seq;
    } else if (rested) {
        press->doubted = false;
    } else if (press->doubted && ahead(seq, press->doubt) > 0) {
        return ahead(press->doubt, press->first) <= 0 ? IS_NEW : IS_LOST;
    }
    return IS_MORE;
}

/* Whether it is certain that it is. What a press's key was is forgotten when a capture begins or ends. */
static bool is_another_key(const struct mask *mask, const struct press *press, const struct arrival *arrival) {
    uint8_t known = mask->codes != NULL ? mask->codes[press - mask->presses] : 0;
    return known != 0 && known != arrival->code + 1;
}

/* What a packet is that has this press's rtp_timestamp. */
static enum what again(const struct mask *mask, struct press *press, const struct arrival *arrival) {
    bool lower = arrival->duration < press->duration;
    bool begins = !arrival->end && (lower || (arrival->marker && arrival->duration == press->duration));
    bool rested = arrival->now_ms - press->last_ms > REPLAY_GAP_MS;
    if (arrival->copy)
        return IS_MORE;
    int next = ahead(arrival->seq, press->newest);
    if (next <= 0)
        return repeated(press, arrival->seq, begins && rested, rested);
    press->doubted = false;
    if (is_another_key(mask, press, arrival))
        return IS_NEW;
    if (!begins)
        return arrival->end && press->ended && (lower || (arrival->marker && (rested || next > NEXT))) ? IS_LOST : IS_MORE;
    if (press->ended)
        return arrival->marker ? IS_NEW : IS_LOST;
    return lower || rested ? IS_LOST : IS_MORE;
}

/* The same for what was overtaken by the first packet that came. */
static enum what goes_back(const struct press *press, const struct arrival *arrival) {
    uint32_t back = press->timestamp - arrival->timestamp;
    int before = ahead(press->first, arrival->seq);
    if (before <= 0 || before > FAR || back > 3u * press->duration)
        return IS_ANOTHER;
    return back <= arrival->duration && !arrival->end ? IS_MORE : IS_LOST;
}

/* The same for another rtp_timestamp. Nothing is decided by when it came. */
static enum what goes_on(const struct mask *mask, const struct press *press, const struct arrival *arrival) {
    uint32_t step = arrival->timestamp - press->timestamp - press->span;
    uint16_t longer = press->duration > arrival->duration ? press->duration : arrival->duration;
    int next = ahead(arrival->seq, press->newest);
    if (press->ssrc != arrival->ssrc || is_another_key(mask, press, arrival))
        return IS_ANOTHER;
    if (next < 0)
        return goes_back(press, arrival);
    if (next > FAR || (press->ended && !arrival->end))
        return IS_ANOTHER;
    bool is_again = press->ended && arrival->duration == press->duration;
    if (arrival->duration < press->duration && next > 0)
        return press->ended && step < press->duration ? IS_LOST : IS_ANOTHER;
    if (step <= longer || next == 0 || (is_again && next == 1))
        return next <= (!arrival->marker ? NEXT : !press->ended) ? IS_MORE : IS_LOST;
    bool is_near = next <= NEXT || step <= 3u * arrival->duration;
    return arrival->end && is_near && (is_again || !press->ended) ? IS_LOST : IS_ANOTHER;
}

/* Let its rtp_timestamps reach to this one. */
static void stretch(struct press *press, uint32_t timestamp) {
    uint32_t back = press->timestamp - timestamp, forth = timestamp - press->timestamp;
    if (back < UINT32_C(1) << 31) {
        press->timestamp = timestamp;
        press->span += back;
    } else if (forth > press->span) {
        press->span = forth;
    }
}

/* Whether it goes on while another SSRC sends a press. */
static bool is_beside(const struct mask *mask, const struct press *press, const struct arrival *arrival) {
    bool same_end = arrival->end && press->timestamp == arrival->timestamp && press->duration == arrival->duration;
    return press->ssrc != arrival->ssrc && !is_another_key(mask, press, arrival) && (!press->ended || same_end);
}

static bool is_followed(const struct mask *mask, const struct press *press, const struct arrival *arrival) {
    if (press->ended || press->ssrc != arrival->ssrc || is_another_key(mask, press, arrival))
        return false;
    uint32_t step = arrival->timestamp - press->timestamp - press->span;
    return step == SEGMENT || (!arrival->marker && press->duration >= LONG_SEGMENT && step == press->duration);
}

static void begin(struct mask *mask, struct press *press, const struct arrival *arrival, bool withheld) {
    if (mask->codes != NULL)
        mask->codes[press - mask->presses] = (uint8_t)(arrival->code + 1);
    *press = (struct press){
        .used = true,
        .ended = arrival->end,
        .withheld = withheld,
        .duration = arrival->duration,
        .first = arrival->seq,
        .newest = arrival->seq,
        .ssrc = arrival->ssrc,
        .timestamp = arrival->timestamp,
        .last_ms = arrival->now_ms,
    };
}

static struct press *place(struct mask *mask) {
    struct press *oldest = &mask->presses[0];
    for (struct press *press = mask->presses; press < mask->presses + PRESSES; press++) {
        if (!press->used)
            return press;
        if (press->last_ms < oldest->last_ms)
            oldest = press;
    }
    return oldest;
}

static struct sighting sight_known(struct mask *mask, struct press *press, const struct arrival *arrival) {
    enum what what = again(mask, press, arrival);
    if (what != IS_NEW) {
        add(press, arrival);
        return (struct sighting){.withheld = press->withheld, .lost = what == IS_LOST};
    }
    uint16_t first = press->doubted ? press->doubt : arrival->seq;
    begin(mask, press, arrival, arrival->masked);
    press->first = first;
    return (struct sighting){.is_new = true, .replayed = true, .withheld = arrival->masked};
}

/* The press of which this is more, or of which nobody knows it. */
static struct press *find_same(struct mask *mask, const struct arrival *arrival, enum what *what) {
    struct press *found = NULL;
    for (struct press *press = mask->presses; press < mask->presses + PRESSES && *what != IS_MORE; press++) {
        enum what this = press->used ? goes_on(mask, press, arrival) : IS_ANOTHER;
        if (this == IS_MORE || (this == IS_LOST && found == NULL)) {
            found = press;
            *what = this;
        }
    }
    return found;
}

static struct sighting sight(struct mask *mask, const struct arrival *arrival) {
    struct press *end = mask->presses + PRESSES;
    for (struct press *press = mask->presses; press < end; press++)
        if (press->used && press->ssrc == arrival->ssrc && arrival->timestamp - press->timestamp <= press->span)
            return sight_known(mask, press, arrival);
    bool continues = false, withheld = arrival->masked;
    enum what what = IS_ANOTHER;
    for (struct press *press = mask->presses; press < end; press++)
        if (press->used && is_followed(mask, press, arrival)) {
            continues = press->ended = true;
            withheld |= press->withheld;
        }
    struct press *same = continues || arrival->copy || arrival->packed ? NULL : find_same(mask, arrival, &what);
    if (same != NULL) {
        stretch(same, arrival->timestamp);
        add(same, arrival);
        return (struct sighting){.withheld = same->withheld, .lost = what == IS_LOST};
    }
    for (struct press *press = mask->presses; press < end; press++)
        if (press->used && arrival->now_ms - press->last_ms <= ALIVE_MS && is_beside(mask, press, arrival)) {
            continues = true;
            withheld |= press->withheld;
        }
    begin(mask, place(mask), arrival, withheld);
    return (struct sighting){.is_new = !continues, .withheld = withheld};
}

struct sighting press_sight(struct mask *mask, const struct arrival *arrival) {
    struct sighting sighting = sight(mask, arrival);
    for (struct press *press = mask->presses; press < mask->presses + PRESSES && arrival->end; press++)
        press->ended |= press->ssrc != arrival->ssrc; /* nobody presses two keys at once */
    return sighting;
}

static bool overtook(const struct key *key, uint32_t ssrc, uint32_t timestamp, int64_t now_ms) {
    int32_t by = (int32_t)(key->timestamp - timestamp);
    return now_ms - key->seen_ms < ORDER_MS && key->ssrc == ssrc && by > 0 && by <= REORDER_TICKS;
}

bool keys_put(struct keys *keys, int code, uint32_t ssrc, uint32_t timestamp, int64_t now_ms) {
    bool is_late = keys->any_taken && overtook(&keys->taken, ssrc, timestamp, now_ms);
    if (code == KEY_LOST || is_late || keys->count == KEYS)
        return false;
    int at = keys->count;
    while (at > 0 && overtook(&keys->held[at - 1], ssrc, timestamp, now_ms)) {
        keys->held[at] = keys->held[at - 1];
        at--;
    }
    int64_t seen_ms = at < keys->count ? keys->held[at + 1].seen_ms : now_ms;
    keys->held[at] = (struct key){.seen_ms = seen_ms, .ssrc = ssrc, .timestamp = timestamp, .code = (uint8_t)code};
    keys->count++;
    return true;
}

int keys_ripe(const struct keys *keys, int64_t now_ms) {
    int ripe = 0;
    while (ripe < keys->count && now_ms - keys->held[ripe].seen_ms >= KEY_HOLD_MS)
        ripe++;
    return ripe;
}

int keys_take(struct keys *keys, int64_t now_ms, uint8_t *into, size_t room) {
    int taken = keys_ripe(keys, now_ms);
    if ((size_t)taken > room)
        taken = (int)room;
    for (int i = 0; i < taken; i++)
        into[i] = (uint8_t)"0123456789*#ABCD"[keys->held[i].code];
    if (taken > 0) {
        keys->any_taken = true;
        keys->taken = keys->held[taken - 1];
        keys->taken.code = KEY_LOST;
    }
    keys->count -= taken;
    memmove(keys->held, keys->held + taken, (size_t)keys->count * sizeof keys->held[0]);
    explicit_bzero(keys->held + keys->count, (size_t)taken * sizeof keys->held[0]);
    return taken;
}
