/* What passes from caller to agent, what it leaves as, and what was keyed: no I/O, no clock.
 *
 * The twin of media/masking.py and telephone_event.py, where the reasons stand. */
#include "_decide.h"

#include <string.h>

enum { EVENT_BLOCKS = 8 }; /* media/telephone_event.py */

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

static bool looks_like_event(const uint8_t *payload, size_t length) {
    if (length == 0 || length % 4 != 0 || length > 4 * EVENT_BLOCKS)
        return false;
    for (size_t at = 0; at < length; at += 4)
        if (payload[at] > 15)
            return false;
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
static void fill_decoded(struct mask *mask, uint32_t ssrc, uint32_t timestamp, bool event, struct filling *filling) {
    struct gap *gap = &mask->gap;
    uint8_t quiet[QUEUE_MOST];
    uint16_t leaves_as;
    bool is_agreed = mask->kinds[gap->type] == TYPE_DECODED && mask->codecs[gap->type] == gap->codec;
    if (ssrc != gap->ssrc || !is_agreed)
        return;
    for (uint32_t ticks; filling->count < MOST_FILLINGS && (ticks = gap_lacks(gap, timestamp, event)) > 0;) {
        if (!track_insert(mask, ssrc, &leaves_as))
            return;
        track_spare(mask, ssrc, -1, -(int)silence(gap->codec, ticks, quiet));
        gap_fill(gap, filling, ticks, leaves_as);
    }
}

struct seen { /* the events of one packet */
    bool withheld, primary; /* a part of one is kept from the agent; one of the primary block's */
    bool has_until;
    uint32_t until; /* where the newest of the primary block ends */
};

static void sight_block(struct mask *mask, const struct rtp *rtp, const struct block *block, const uint8_t *packet,
                        int64_t now_ms, struct decision *decision, struct seen *seen) {
    uint32_t begins = block->timestamp;
    size_t most = block->size < 4 * EVENT_BLOCKS ? block->size : 4 * EVENT_BLOCKS;
    bool follows = true;
    for (size_t at = 0; most - at >= 4 && follows; at += 4) {
        const uint8_t *event = packet + block->start + at;
        uint16_t duration = get16(event + 2);
        if (at > 0 && duration == 0) /* filling */
            return;
        if (event[0] <= 15) {
            struct sighting sighting = press_sight(mask, rtp, begins, block->copy, event, now_ms);
            if (sighting.replayed)
                track_replay(mask, rtp->ssrc, rtp->seq);
            bool was_heard = mask->on && mask->hold != NULL &&
                             hold_key(mask->hold, rtp->ssrc, begins, event[0], duration, sighting.is_new);
            if (sighting.is_new && !was_heard && decision->count <= KEYS)
                decision->pressed[decision->count++] = (struct pressed){.code = event[0], .timestamp = begins};
            seen->withheld |= sighting.withheld;
            if (!block->copy) {
                seen->primary |= sighting.withheld;
                seen->has_until = true;
                seen->until = begins + duration;
            }
        }
        begins += duration;
        follows = event[1] >> 7 || duration == 0xFFFF;
    }
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
    int count = kind == TYPE_RED ? red_unwrap(packet, rtp, blocks) : kind == TYPE_EVENT;
    for (int i = 0; i < count; i++)
        if (mask->kinds[blocks[i].type] == TYPE_EVENT)
            sight_block(mask, rtp, &blocks[i], packet, now_ms, decision, &seen);
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

static struct decision decide(struct mask *mask, uint8_t *packet, size_t length, int64_t now_ms) {
    struct decision decision = {.verdict = FORWARD, .bytes = packet, .length = length};
    struct rtp rtp;
    if (!rtp_parse(packet, length, &rtp)) {
        if (mask->on || mask->types_known)
            decision.verdict = MALFORMED;
        return decision;
    }
    if (rtp_is_rtcp(&rtp)) { /* no sequence number in it */
        if (mask->on)
            decision.verdict = WITHHELD;
        return decision;
    }
    decision.ssrc = rtp.ssrc;
    size_t whole = rtp.end - rtp.start;
    bool opened = false;
    struct seen seen = look(mask, &rtp, packet, now_ms, &opened, &decision);
    if (mask->kinds[rtp.type] != TYPE_EVENT && !seen.has_until)
        sender_follow(&mask->sender, &rtp, now_ms);
    const uint8_t *payload = packet + rtp.start;
    size_t size = rtp.end - rtp.start;
    enum type_kind kind = mask->kinds[rtp.type];
    bool is_key = kind == TYPE_EVENT || looks_like_event(payload, size), is_known = kind != TYPE_UNKNOWN && kind != TYPE_RED;
    bool is_closed = is_key || !is_known || kind == TYPE_OPAQUE;
    bool withhold = seen.primary || (mask->on && is_closed) || (opened && !is_known);
    bool is_held = mask->on && !withhold && kind != TYPE_AUDIO && kind != TYPE_DECODED;
    struct hold *hold = mask->on ? mask->hold : NULL;
    if (is_held) {
        withhold = hold == NULL || !hold_takes(hold, rtp.ssrc, rtp.timestamp, size, now_ms);
        if (!withhold)
            fill(mask, rtp.timestamp, false);
    }
    struct gap heard = {.bound = true, .type = rtp.type, .codec = (enum codec)mask->codecs[rtp.type], .ssrc = rtp.ssrc};
    bool is_decoded = mask->on && !withhold && kind == TYPE_DECODED;
    if (is_decoded) {
        heard.step = lasts(heard.codec, payload, size);
        heard.next = rtp.timestamp + heard.step;
        withhold = heard.step == 0 || !gap_takes(&mask->gap, rtp.ssrc, rtp.timestamp);
        if (!withhold)
            fill_decoded(mask, rtp.ssrc, rtp.timestamp, false, &decision.filling);
    }
    uint16_t leaves_as;
    decision.opens_window = mask->on && ((withhold && is_key) || decision.count > 0);
    bool passes = track_pass(mask, rtp.ssrc, rtp.seq, withhold, &leaves_as);
    if (hold != NULL && withhold && is_key) {
        hold_event(hold, now_ms);
        if (seen.has_until && hold->bound && rtp.ssrc == hold->ssrc)
            fill(mask, seen.until, true);
    }
    mask->gap.after_event |= decision.opens_window;
    if (decision.opens_window && withhold && seen.has_until)
        fill_decoded(mask, rtp.ssrc, seen.until, true, &decision.filling);
    if (!passes) {
        track_spare(mask, rtp.ssrc, 1, (int)whole);
        decision.verdict = WITHHELD;
        return decision;
    }
    track_spare(mask, rtp.ssrc, 0, (int)(whole - size));
    if (is_held) {
        struct frame frame = {.type = rtp.type, .marker = rtp.marker, .coding = coding_of(kind), .seq = leaves_as,
                              .timestamp = rtp.timestamp, .ssrc = rtp.ssrc, .size = (int)size};
        hold_audio(hold, frame, payload, now_ms);
        decision.verdict = HELD;
        return decision;
    }
    put16(packet + 2, leaves_as);
    if (mask->on || opened) { /* the fixed header moves up to the payload: CSRCs, extension, padding and what was redundant stay behind */
        uint8_t *head = packet + rtp.start - 12;
        memmove(head, packet, 12);
        head[0] = 0x80;
        head[1] = (uint8_t)(rtp.marker << 7 | rtp.type);
        decision.bytes = head;
        decision.length = 12 + size;
        if (is_decoded) {
            decision.verdict = ASK;
            decision.codec = heard.codec;
            mask->gap = heard;
        }
    }
    return decision;
}

struct decision mask_rtp(struct mask *mask, uint8_t *packet, size_t length, int64_t now_ms) {
    struct decision decision = decide(mask, packet, length, now_ms);
    struct span press = {0};
    while (mask->hold != NULL && decision.count <= KEYS && hold_pressed(mask->hold, &press))
        decision.pressed[decision.count++] = (struct pressed){.code = (uint8_t)press.code, .timestamp = press.first};
    explicit_bzero(&press, sizeof press);
    return decision;
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
    if (kind == TYPE_EVENT || kind == TYPE_RED || looks_like_event(payload, size))
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

struct decision mask_rtcp(const struct mask *mask, uint8_t *packet, size_t length) {
    struct decision decision = {.verdict = FORWARD, .bytes = packet, .length = length};
    if (!rtcp_is(packet, length)) {
        if (mask->on || mask->types_known)
            decision.verdict = MALFORMED;
        return decision;
    }
    if (mask->on)
        decision.length = rtcp_reports(packet, length);
    report_as_sent(mask, packet, decision.length);
    if (decision.length == 0)
        decision.verdict = WITHHELD;
    return decision;
}

struct decision mask_rtcp_back(const struct mask *mask, uint8_t *packet, size_t length) {
    struct decision decision = {.verdict = FORWARD, .bytes = packet, .length = length};
    if (rtcp_is(packet, length))
        report_as_heard(mask, packet, length);
    else if (mask->on || mask->types_known)
        decision.verdict = MALFORMED;
    return decision;
}
