/* One key press, one digit. The reasons are in media/reference/reassembly.py. */
#include "dtmf/reassembly.h"

#include "rtp/rtp.h"

#include <stddef.h>

enum { REPLAY_GAP_MS = 250, EVENT_SEGMENT = 0xFFFF, LONG_SEGMENT = 0xF000, PRESS_FAR = 12 };

/* How a packet belongs to a press: it is more of it; a new press in its place; perhaps one or the
 * other, so that a press may be lost; of another press. */
enum belonging { IS_MORE, IS_NEW, IS_LOST, IS_ANOTHER };

static void add_arrival(struct press *press, const struct arrival *arrival) {
    press->last_ms = arrival->now_ms;
    press->ended |= arrival->end;
    press->withheld |= arrival->masked;
    if (arrival->duration > press->duration)
        press->duration = arrival->duration;
    if (arrival->copy)
        return;
    if (rtp_seq_ahead(arrival->seq, press->newest) > 0)
        press->newest = arrival->seq;
    if (!press->doubted && rtp_seq_ahead(arrival->seq, press->first) < 0)
        press->first = arrival->seq;
}

/* Late, a copy, or a recording that is played again. */
static enum belonging late_or_copy(struct press *press, uint16_t seq, bool begins, bool rested) {
    if (begins) {
        press->doubted = true;
        press->doubt = seq;
    } else if (rested) {
        press->doubted = false;
    } else if (press->doubted && rtp_seq_ahead(seq, press->doubt) > 0) {
        return rtp_seq_ahead(press->doubt, press->first) <= 0 ? IS_NEW : IS_LOST;
    }
    return IS_MORE;
}

/* Whether it certainly is another key. The codes of presses are forgotten when a capture begins or
 * ends. */
static bool is_another_key(const struct presses *presses, const struct press *press,
                           const struct arrival *arrival) {
    uint8_t known = presses->codes != NULL ? presses->codes[press - presses->each] : 0;
    return known != 0 && known != arrival->code + 1;
}

/* A packet that has this press's rtp_timestamp. */
static enum belonging same_timestamp(const struct presses *presses, struct press *press,
                                     const struct arrival *arrival) {
    bool lower = arrival->duration < press->duration;
    bool begins = !arrival->end && (lower || (arrival->marker && arrival->duration == press->duration));
    bool rested = arrival->now_ms - press->last_ms > REPLAY_GAP_MS;
    if (arrival->copy)
        return IS_MORE;
    int next = rtp_seq_ahead(arrival->seq, press->newest);
    if (next <= 0)
        return late_or_copy(press, arrival->seq, begins && rested, rested);
    press->doubted = false;
    if (is_another_key(presses, press, arrival))
        return IS_NEW;
    if (!begins)
        return arrival->end && press->ended && (lower || (arrival->marker && (rested || next > NEXT)))
                   ? IS_LOST
                   : IS_MORE;
    if (press->ended)
        return arrival->marker ? IS_NEW : IS_LOST;
    return lower || rested ? IS_LOST : IS_MORE;
}

/* A packet of an earlier one: the first packet that came has overtaken it. */
static enum belonging earlier_timestamp(const struct press *press, const struct arrival *arrival) {
    uint32_t back = press->timestamp - arrival->timestamp;
    int before = rtp_seq_ahead(press->first, arrival->seq);
    if (before <= 0 || before > PRESS_FAR || back > 3u * press->duration)
        return IS_ANOTHER;
    return back <= arrival->duration && !arrival->end ? IS_MORE : IS_LOST;
}

/* A packet of another rtp_timestamp. Its time of arrival decides nothing. */
static enum belonging other_timestamp(const struct presses *presses, const struct press *press,
                                      const struct arrival *arrival) {
    uint32_t step = arrival->timestamp - press->timestamp - press->span;
    uint16_t longer = press->duration > arrival->duration ? press->duration : arrival->duration;
    int next = rtp_seq_ahead(arrival->seq, press->newest);
    if (press->ssrc != arrival->ssrc || is_another_key(presses, press, arrival))
        return IS_ANOTHER;
    if (next < 0)
        return earlier_timestamp(press, arrival);
    if (next > PRESS_FAR || (press->ended && !arrival->end))
        return IS_ANOTHER;
    bool is_again = press->ended && arrival->duration == press->duration;
    if (arrival->duration < press->duration && next > 0)
        return press->ended && step < press->duration ? IS_LOST : IS_ANOTHER;
    if (step <= longer || next == 0 || (is_again && next == 1))
        return next <= (!arrival->marker ? NEXT : !press->ended) ? IS_MORE : IS_LOST;
    bool is_near = next <= NEXT || step <= 3u * arrival->duration;
    return arrival->end && is_near && (is_again || !press->ended) ? IS_LOST : IS_ANOTHER;
}

/* Lets its rtp_timestamps reach to this one. */
static void stretch_press(struct press *press, uint32_t timestamp) {
    uint32_t back = press->timestamp - timestamp, forth = timestamp - press->timestamp;
    if (back < UINT32_C(1) << 31) {
        press->timestamp = timestamp;
        press->span += back;
    } else if (forth > press->span) {
        press->span = forth;
    }
}

/* Whether the press goes on while another SSRC sends one. */
static bool is_beside(const struct presses *presses, const struct press *press,
                      const struct arrival *arrival) {
    bool same_end =
        arrival->end && press->timestamp == arrival->timestamp && press->duration == arrival->duration;
    return press->ssrc != arrival->ssrc && !is_another_key(presses, press, arrival) &&
           (!press->ended || same_end);
}

static bool is_followed(const struct presses *presses, const struct press *press,
                        const struct arrival *arrival) {
    if (press->ended || press->ssrc != arrival->ssrc || is_another_key(presses, press, arrival))
        return false;
    uint32_t step = arrival->timestamp - press->timestamp - press->span;
    return step == EVENT_SEGMENT ||
           (!arrival->marker && press->duration >= LONG_SEGMENT && step == press->duration);
}

static void begin_press(struct presses *presses, struct press *press, const struct arrival *arrival,
                        bool withheld) {
    if (presses->codes != NULL)
        presses->codes[press - presses->each] = (uint8_t)(arrival->code + 1);
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

static struct press *oldest_place(struct presses *presses) {
    struct press *oldest = &presses->each[0];
    for (struct press *press = presses->each; press < presses->each + PRESSES; press++) {
        if (!press->used)
            return press;
        if (press->last_ms < oldest->last_ms)
            oldest = press;
    }
    return oldest;
}

static struct sighting sight_known(struct presses *presses, struct press *press,
                                   const struct arrival *arrival) {
    enum belonging is = same_timestamp(presses, press, arrival);
    if (is != IS_NEW) {
        add_arrival(press, arrival);
        return (struct sighting){.withheld = press->withheld, .lost = is == IS_LOST};
    }
    uint16_t first = press->doubted ? press->doubt : arrival->seq;
    begin_press(presses, press, arrival, arrival->masked);
    press->first = first;
    return (struct sighting){.is_new = true, .replayed = true, .withheld = arrival->masked};
}

/* The press whose rtp_timestamps reach over this one; NULL: there is none. */
static struct press *find_covering(struct presses *presses, const struct arrival *arrival) {
    for (struct press *press = presses->each; press < presses->each + PRESSES; press++)
        if (press->used && press->ssrc == arrival->ssrc &&
            arrival->timestamp - press->timestamp <= press->span)
            return press;
    return NULL;
}

/* The press that this packet is more of, or may be; NULL: there is none. */
static struct press *find_same(struct presses *presses, const struct arrival *arrival, enum belonging *is) {
    struct press *found = NULL;
    for (struct press *press = presses->each; press < presses->each + PRESSES && *is != IS_MORE; press++) {
        enum belonging this = press->used ? other_timestamp(presses, press, arrival) : IS_ANOTHER;
        if (this == IS_MORE || (this == IS_LOST && found == NULL)) {
            found = press;
            *is = this;
        }
    }
    return found;
}

/* Whether the packet is the next segment of a press (RFC 4733 section 2.5.1.3), which ends. */
static bool follows_segment(struct presses *presses, const struct arrival *arrival, bool *withheld) {
    bool follows = false;
    for (struct press *press = presses->each; press < presses->each + PRESSES; press++)
        if (press->used && is_followed(presses, press, arrival)) {
            follows = press->ended = true;
            *withheld |= press->withheld;
        }
    return follows;
}

/* Whether the packet is of a press that another SSRC sends, too. */
static bool is_sent_twice(struct presses *presses, const struct arrival *arrival, bool *withheld) {
    bool is_twice = false;
    for (struct press *press = presses->each; press < presses->each + PRESSES; press++)
        if (press->used && arrival->now_ms - press->last_ms <= ALIVE_MS &&
            is_beside(presses, press, arrival)) {
            is_twice = true;
            *withheld |= press->withheld;
        }
    return is_twice;
}

static struct sighting sight_arrival(struct presses *presses, const struct arrival *arrival) {
    struct press *known = find_covering(presses, arrival);
    if (known != NULL)
        return sight_known(presses, known, arrival);
    enum belonging is = IS_ANOTHER;
    bool withheld = arrival->masked, continues = follows_segment(presses, arrival, &withheld);
    struct press *same =
        continues || arrival->copy || arrival->packed ? NULL : find_same(presses, arrival, &is);
    if (same != NULL) {
        stretch_press(same, arrival->timestamp);
        add_arrival(same, arrival);
        return (struct sighting){.withheld = same->withheld, .lost = is == IS_LOST};
    }
    continues |= is_sent_twice(presses, arrival, &withheld);
    begin_press(presses, oldest_place(presses), arrival, withheld);
    return (struct sighting){.is_new = !continues, .withheld = withheld};
}

struct sighting reassembly_sight(struct presses *presses, const struct arrival *arrival) {
    struct sighting sighting = sight_arrival(presses, arrival);
    for (struct press *press = presses->each; press < presses->each + PRESSES && arrival->end; press++)
        press->ended |= press->ssrc != arrival->ssrc; /* a person presses one key at a time */
    return sighting;
}

void reassembly_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, PRESSES, REPLAY_GAP_MS, ALIVE_MS, NEXT, PRESS_FAR, LONG_SEGMENT, EVENT_SEGMENT);
}
