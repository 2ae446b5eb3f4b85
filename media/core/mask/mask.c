/* What passes from caller to agent, what it leaves as, and what was keyed: no I/O, no clock.
 *
 * The twin of media/reference/masking.py and telephone_event.py, where the reasons stand. */
#include "rtp/wire.h"

#include <string.h>

enum { EVENT_BLOCKS = 8, LEAST_FRAME = 40 }; /* media/formats/telephone_event.py */

void mask_types(struct mask *mask, const struct type_list lists[TYPE_KINDS]) {
    memset(mask->kinds, TYPE_UNKNOWN, sizeof mask->kinds);
    mask->types_known = mask->has_decoded = false;
    for (int kind = TYPE_AUDIO; kind < TYPE_KINDS; kind++)
        for (size_t i = 0, step = kind == TYPE_DECODED ? 2 : 1; i + step <= lists[kind].count; i += step) {
            const uint8_t *type = &lists[kind].types[i];
            mask->kinds[type[0] & 0x7F] = (uint8_t)kind;
            mask->types_known = true;
            mask->has_decoded |= kind == TYPE_DECODED;
            if (kind == TYPE_DECODED)
                mask->codecs[type[0] & 0x7F] = type[1];
        }
}

void decision_begin(struct decision *decision, uint8_t *packet, size_t length) {
    decision->verdict = FORWARD;
    decision->count = 0;
    decision->ssrc = 0;
    decision->codec = CODEC_NONE;
    decision->opens_window = false;
    decision->filling.count = 0;
    decision->bytes = packet;
    decision->length = length;
}

void decision_wipe(struct decision *decision) {
    explicit_bzero(decision->pressed, (size_t)decision->count * sizeof *decision->pressed);
    decision->count = 0;
}

/* From here on, what fills a payload: the same byte to the end. */
static bool is_filling(const uint8_t *payload, size_t at, size_t length) {
    for (size_t i = at + 1; i < length; i++)
        if (payload[i] != payload[at])
            return false;
    return true;
}

static bool looks_like_event(const uint8_t *payload, size_t length) {
    if (length < 4 || payload[0] > 15 || (length >= LEAST_FRAME && is_filling(payload, 0, length)))
        return false;
    for (size_t at = 4; at < length; at += 4) {
        size_t rest = length - at;
        bool is_event = rest >= 4 ? payload[at] <= 15 : memcmp(payload, payload + at, rest) == 0;
        if (!is_event)
            return is_filling(payload, at, length);
    }
    return true;
}

static enum coding coding_of(enum type_kind kind) {
    return kind == TYPE_G722 ? CODING_G722 : kind == TYPE_A ? CODING_A : CODING_MU;
}

static void fill(struct mask *mask, uint32_t timestamp, bool event) {
    struct hold *hold = mask->hold;
    uint16_t leaves_as;
    for (int size; (size = hold_lacks(hold, timestamp, event)) > 0;) {
        if (!track_insert(mask, hold->ssrc, &leaves_as))
            return;
        track_spare(mask, hold->ssrc, -1, -size);
        hold_fill(hold, size, leaves_as);
    }
}

/* The same in a codec that is decoded elsewhere. */
static void fill_decoded(struct mask *mask, uint32_t ssrc, uint32_t timestamp, int64_t now_ms, bool event, struct filling *filling) {
    struct gap *gap = &mask->gap;
    uint8_t quiet[QUEUE_PACKET];
    uint16_t leaves_as;
    bool is_agreed = mask->kinds[gap->type] == TYPE_DECODED && mask->codecs[gap->type] == gap->codec;
    if (ssrc != gap->ssrc || !is_agreed)
        return;
    gap_let_pass(gap, now_ms);
    for (uint32_t ticks; filling->count < MOST_FILLINGS && (ticks = gap_lacks(gap, timestamp, event)) > 0;) {
        if (!track_insert(mask, ssrc, &leaves_as))
            return;
        track_spare(mask, ssrc, -1, -(int)silence(gap->codec, ticks, quiet, sizeof quiet));
        gap_fill(gap, filling, ticks, leaves_as);
    }
}

struct seen { /* the events of one packet */
    bool withheld, primary; /* a part of one is kept from the agent; one of the primary block's */
    bool has_until;
    uint32_t until; /* where the newest of the primary block ends */
};

static void press(struct decision *decision, uint8_t code, uint32_t timestamp) {
    if (decision->count <= KEYS)
        decision->pressed[decision->count++] = (struct pressed){.code = code, .timestamp = timestamp};
}

static void sight_event(struct mask *mask, const struct arrival *arrival, uint8_t code, struct decision *decision,
                        struct seen *seen) {
    struct sighting sighting = press_sight(mask, arrival);
    if (sighting.replayed)
        track_replay(mask, arrival->ssrc, arrival->seq);
    bool was_heard = mask->on && mask->hold != NULL &&
                     hold_key(mask->hold, arrival->ssrc, arrival->timestamp, code, arrival->duration, sighting.is_new);
    if (sighting.lost || (sighting.is_new && !was_heard))
        press(decision, sighting.lost ? KEY_LOST : code, arrival->timestamp);
    seen->withheld |= sighting.withheld;
    if (!arrival->copy) {
        seen->primary |= sighting.withheld;
        seen->has_until = true;
        seen->until = arrival->timestamp + arrival->duration;
    }
}

static void sight_block(struct mask *mask, const struct rtp *rtp, const struct block *block, const uint8_t *packet,
                        int64_t now_ms, struct decision *decision, struct seen *seen) {
    uint32_t begins = block->timestamp;
    bool follows = true;
    for (size_t at = 0; block->size - at >= 4 && follows; at += 4) {
        const uint8_t *event = packet + block->start + at;
        uint16_t duration = get16(event + 2);
        if (at > 0 && duration == 0) /* filling */
            return;
        if (at == 4 * EVENT_BLOCKS) {
            press(decision, KEY_LOST, begins);
            return;
        }
        struct arrival arrival = {.marker = rtp->marker, .end = event[1] >> 7, .masked = mask->on || mask->drops_events,
                                  .copy = block->copy, .packed = at > 0, .code = event[0], .seq = rtp->seq,
                                  .duration = duration, .ssrc = rtp->ssrc,
                                  .timestamp = begins, .now_ms = now_ms};
        if (event[0] <= 15)
            sight_event(mask, &arrival, event[0], decision, seen);
        begins += duration;
        follows = event[1] >> 7 || duration == 0xFFFF;
    }
}

/* Whether a packet of another type is the second of an event, or a later one. */
static bool is_stray(struct mask *mask, const struct rtp *rtp, const uint8_t *packet, int64_t now_ms) {
    const uint8_t *event = packet + rtp->start;
    if (!mask->on || rtp->end - rtp->start != 4 || event[0] > 15 || event[1] & 0x40 || get16(event + 2) == 0)
        return false;
    struct suspect before = mask->suspect;
    int next = (int16_t)(uint16_t)(rtp->seq - before.seq);
    mask->suspect = (struct suspect){.used = true, .seq = rtp->seq, .ssrc = rtp->ssrc, .timestamp = rtp->timestamp, .at_ms = now_ms};
    return before.used && before.ssrc == rtp->ssrc && before.timestamp == rtp->timestamp && next > 0 && next <= NEXT &&
           now_ms - before.at_ms <= ALIVE_MS;
}

/* What of the packet is its primary block becomes a packet of its own. */
static void open_primary(struct rtp *rtp, const struct block *primary) {
    rtp->type = primary->type;
    rtp->start = primary->start;
    rtp->end = primary->start + primary->size;
}

/* Look at all events; where redundancy has what is masked, or may have what was, only the primary block is left of it. */
static struct seen look(struct mask *mask, struct rtp *rtp, const uint8_t *packet, int64_t now_ms, bool *opened,
                        struct decision *decision) {
    struct seen seen = {0};
    enum type_kind kind = mask->kinds[rtp->type];
    struct block blocks[RED_BLOCKS] = {{.type = rtp->type, .timestamp = rtp->timestamp, .start = rtp->start}};
    blocks[0].size = rtp->end - rtp->start;
    bool is_stray_one = kind != TYPE_RED && kind != TYPE_EVENT && is_stray(mask, rtp, packet, now_ms);
    int count = kind == TYPE_RED ? red_unwrap(packet, rtp, blocks) : kind == TYPE_EVENT || is_stray_one;
    for (int i = 0; i < count; i++)
        if (mask->kinds[blocks[i].type] == TYPE_EVENT || is_stray_one)
            sight_block(mask, rtp, &blocks[i], packet, now_ms, decision, &seen);
    if (mask->on && kind == TYPE_RED && count == 0 && rtp->end > rtp->start)
        press(decision, KEY_LOST, rtp->timestamp);
    if (mask->on)
        reach_mask(&mask->reach);
    if (kind != TYPE_RED)
        return seen;
    *opened = mask->on || reach_is_back(&mask->reach, rtp, blocks, count) || seen.withheld;
    if (*opened && count > 0)
        open_primary(rtp, &blocks[count - 1]);
    if (decision->count > 0 && mask->on && mask->hold != NULL)
        hold_event(mask->hold, now_ms);
    return seen;
}

static void decide(struct mask *mask, uint8_t *packet, size_t length, int64_t now_ms, struct decision *decision) {
    struct rtp rtp;
    if (!rtp_parse(packet, length, &rtp)) {
        if (mask->on || mask->types_known)
            decision->verdict = MALFORMED;
        return;
    }
    if (rtp_is_rtcp(&rtp)) { /* no sequence number in it */
        if (mask->on)
            decision->verdict = WITHHELD;
        return;
    }
    decision->ssrc = rtp.ssrc;
    size_t whole = rtp.end - rtp.start;
    bool opened = false;
    struct seen seen = look(mask, &rtp, packet, now_ms, &opened, decision);
    if (mask->kinds[rtp.type] != TYPE_EVENT && !seen.has_until)
        sender_follow(&mask->sender, &rtp, now_ms);
    const uint8_t *payload = packet + rtp.start;
    size_t size = rtp.end - rtp.start;
    enum type_kind kind = mask->kinds[rtp.type];
    bool is_key = kind == TYPE_EVENT || looks_like_event(payload, size), is_known = kind != TYPE_UNKNOWN && kind != TYPE_RED;
    bool is_closed = is_key || !is_known || kind == TYPE_OPAQUE;
    bool withhold = seen.primary || (mask->on && is_closed) || (opened && !is_known);
    bool is_heard = kind == TYPE_MU || kind == TYPE_A || kind == TYPE_G722;
    withhold |= (mask->on && is_heard && size < LEAST_FRAME) || (mask->drops_events && kind == TYPE_EVENT);
    bool is_held = mask->on && !withhold && kind != TYPE_AUDIO && kind != TYPE_DECODED;
    struct hold *hold = mask->on ? mask->hold : NULL;
    if (is_held) {
        withhold = hold == NULL || !hold_takes(hold, rtp.ssrc, rtp.timestamp, size, now_ms);
        if (!withhold)
            fill(mask, rtp.timestamp, false);
    }
    struct gap heard = {.bound = true, .type = rtp.type, .codec = (enum codec)mask->codecs[rtp.type], .ssrc = rtp.ssrc, .came_ms = now_ms, .passed_ms = now_ms};
    bool is_decoded = mask->on && !withhold && kind == TYPE_DECODED;
    if (is_decoded) {
        heard.step = QUEUE_HEADER + size <= QUEUE_MOST ? lasts(heard.codec, payload, size) : 0;
        heard.next = rtp.timestamp + heard.step;
        withhold = heard.step == 0 || !gap_takes(&mask->gap, rtp.ssrc, rtp.timestamp, now_ms);
        if (!withhold)
            fill_decoded(mask, rtp.ssrc, rtp.timestamp, now_ms, false, &decision->filling);
    }
    uint16_t leaves_as;
    decision->opens_window = mask->on && ((withhold && is_key) || decision->count > 0);
    bool passes = track_pass(mask, rtp.ssrc, rtp.seq, withhold, &leaves_as);
    if (hold != NULL && withhold && is_key) {
        hold_event(hold, now_ms);
        if (seen.has_until && hold->bound && rtp.ssrc == hold->ssrc)
            fill(mask, seen.until, true);
    }
    if (decision->opens_window)
        mask_key(mask, now_ms);
    mask->gap.after_event |= decision->opens_window;
    if (decision->opens_window && withhold && seen.has_until)
        fill_decoded(mask, rtp.ssrc, seen.until, now_ms, true, &decision->filling);
    if (!passes) {
        track_spare(mask, rtp.ssrc, 1, (int)whole);
        decision->verdict = WITHHELD;
        return;
    }
    track_spare(mask, rtp.ssrc, 0, (int)(whole - size));
    if (is_held) {
        struct frame frame = {.type = rtp.type, .marker = rtp.marker, .coding = coding_of(kind), .seq = leaves_as,
                              .timestamp = rtp.timestamp, .ssrc = rtp.ssrc, .size = (int)size};
        hold_audio(hold, frame, payload, now_ms);
        decision->verdict = HELD;
        return;
    }
    put16(packet + 2, leaves_as);
    if (mask->on || opened) { /* the fixed header moves up to the payload: CSRCs, extension, padding and what was redundant stay behind */
        uint8_t *head = packet + rtp.start - 12;
        memmove(head, packet, 12);
        head[0] = 0x80;
        head[1] = (uint8_t)(rtp.marker << 7 | rtp.type);
        decision->bytes = head;
        decision->length = 12 + size;
        if (is_decoded) {
            decision->verdict = ASK;
            decision->codec = heard.codec;
            mask->gap = heard;
        }
    }
}

_Static_assert((int)PRESS_LOST == (int)KEY_LOST, "the hold's lost press is a lost key");

void mask_rtp(struct mask *mask, uint8_t *packet, size_t length, int64_t now_ms, struct decision *decision) {
    struct span press = {0};
    decision_begin(decision, packet, length);
    decide(mask, packet, length, now_ms, decision);
    while (mask->hold != NULL && decision->count <= KEYS && hold_pressed(mask->hold, &press))
        decision->pressed[decision->count++] = (struct pressed){.code = (uint8_t)press.code, .timestamp = press.first};
    explicit_bzero(&press, sizeof press);
}

void mask_key(struct mask *mask, int64_t now_ms) {
    mask->keyed = mask->on;
    mask->keyed_ms = now_ms;
}

bool mask_is_quiet(const struct mask *mask, int64_t now_ms, int64_t quiet_ms) {
    bool is_quiet = !mask->keyed || now_ms - mask->keyed_ms >= quiet_ms;
    return is_quiet && (mask->hold == NULL || hold_is_quiet(mask->hold, now_ms, quiet_ms));
}

bool mask_leaks(struct mask *mask, const uint8_t *packet, size_t length) {
    struct rtp rtp;
    if (!mask->on || mask->shut)
        return false;
    if (!rtp_parse(packet, length, &rtp))
        return mask->shut = true;
    const uint8_t *payload = packet + rtp.start;
    size_t size = rtp.end - rtp.start;
    enum type_kind kind = mask->kinds[rtp.type];
    if (kind == TYPE_EVENT || kind == TYPE_RED || canary_sees(payload, size))
        return mask->shut = true;
    bool is_mu = kind == TYPE_MU || rtp.type == 0, is_a = kind == TYPE_A || rtp.type == 8;
    bool is_g722 = kind == TYPE_G722 || rtp.type == 9;
    if (mask->hold == NULL || !(is_mu || is_a || is_g722))
        return false;
    int16_t samples[FRAME_MOST];
    size = size < FRAME_MOST ? size : FRAME_MOST;
    if (is_mu || is_a)
        g711_hear(is_mu ? CODING_MU : CODING_A, payload, size, samples);
    for (size_t at = 0; !(is_mu || is_a) && at < size; at++)
        samples[at] = (int16_t)g722_hear(&mask->hold->left, payload[at]);
    mask->shut = canary_hears(&mask->hold->canary, samples, size);
    explicit_bzero(samples, size * sizeof *samples);
    return mask->shut;
}

void mask_rtcp(const struct mask *mask, uint8_t *packet, size_t length, struct decision *decision) {
    decision_begin(decision, packet, length);
    if (!rtcp_is(packet, length)) {
        if (mask->on || mask->types_known)
            decision->verdict = MALFORMED;
        return;
    }
    if (mask->on)
        decision->length = rtcp_reports(packet, length);
    report_as_sent(mask, packet, decision->length);
    if (decision->length == 0)
        decision->verdict = WITHHELD;
}

void mask_rtcp_back(const struct mask *mask, uint8_t *packet, size_t length, struct decision *decision) {
    decision_begin(decision, packet, length);
    if (rtcp_is(packet, length))
        report_as_heard(mask, packet, length);
    else if (mask->on || mask->types_known)
        decision->verdict = MALFORMED;
}
