/* What passes from caller to agent, what it leaves as, and what was keyed: no I/O, no clock.
 *
 * The twin of media/masking.py and telephone_event.py, where the reasons stand. */
#include "_decide.h"

#include <string.h>

enum { EVENT_BLOCKS = 8 }; /* media/telephone_event.py */

void mask_types(struct mask *mask, const struct type_list lists[TYPE_KINDS]) {
    memset(mask->kinds, TYPE_UNKNOWN, sizeof mask->kinds);
    mask->types_known = false;
    for (int kind = TYPE_AUDIO; kind < TYPE_KINDS; kind++)
        for (size_t i = 0; i < lists[kind].count; i++) {
            mask->kinds[lists[kind].types[i] & 0x7F] = (uint8_t)kind;
            mask->types_known = true;
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
        hold_fill(hold, size, leaves_as);
    }
}

struct decision mask_rtp(struct mask *mask, uint8_t *packet, size_t length, int64_t now_ms) {
    struct decision decision = {.verdict = FORWARD, .key = KEY_NONE, .bytes = packet, .length = length};
    struct rtp rtp;
    if (!rtp_parse(packet, length, &rtp)) {
        if (mask->on || mask->types_known)
            decision.verdict = MALFORMED;
        return decision;
    }
    if (rtp.type >= 64 && rtp.type <= 95) { /* RTCP on the RTP port (RFC 5761 section 4): no sequence number in it */
        if (mask->on)
            decision.verdict = WITHHELD;
        return decision;
    }
    const uint8_t *payload = packet + rtp.start;
    size_t size = rtp.end - rtp.start;
    enum type_kind kind = mask->kinds[rtp.type];
    bool is_event = kind == TYPE_EVENT && size >= 4, is_key = kind == TYPE_EVENT || looks_like_event(payload, size);
    bool is_closed = is_key || kind == TYPE_UNKNOWN || kind == TYPE_OPAQUE;
    bool withhold = mask->on && is_closed, is_held = mask->on && !is_closed && kind != TYPE_AUDIO;
    struct hold *hold = mask->on ? mask->hold : NULL;
    if (is_event && payload[0] <= 15) {
        struct sighting sighting = press_sight(mask, &rtp, payload, now_ms);
        withhold |= sighting.withheld;
        if (sighting.replayed)
            track_replay(mask, rtp.ssrc, rtp.seq);
        bool was_heard = hold != NULL && hold_key(hold, rtp.ssrc, rtp.timestamp, payload[0], get16(payload + 2), sighting.is_new);
        if (sighting.is_new && !was_heard) {
            decision.key = payload[0];
            decision.ssrc = rtp.ssrc;
            decision.timestamp = rtp.timestamp;
        }
    }
    if (is_held) {
        withhold = hold == NULL || !hold_takes(hold, rtp.ssrc, rtp.timestamp, size, now_ms);
        if (!withhold)
            fill(mask, rtp.timestamp, false);
    }
    uint16_t leaves_as;
    bool passes = track_pass(mask, rtp.ssrc, rtp.seq, withhold, &leaves_as);
    if (hold != NULL && withhold && is_key) {
        hold_event(hold, now_ms);
        if (is_event && payload[0] <= 15 && hold->bound && rtp.ssrc == hold->ssrc)
            fill(mask, rtp.timestamp + get16(payload + 2), true);
    }
    if (!passes) {
        decision.verdict = WITHHELD;
        return decision;
    }
    if (is_held) {
        struct frame frame = {.type = rtp.type, .marker = rtp.marker, .coding = coding_of(kind), .seq = leaves_as,
                              .timestamp = rtp.timestamp, .ssrc = rtp.ssrc, .size = (int)size};
        hold_audio(hold, frame, payload, now_ms);
        decision.verdict = HELD;
        return decision;
    }
    put16(packet + 2, leaves_as);
    if (mask->on) { /* the fixed header moves up to the payload: CSRCs, extension and padding stay behind */
        uint8_t *head = packet + rtp.start - 12;
        memmove(head, packet, 12);
        head[0] = 0x80;
        decision.bytes = head;
        decision.length = 12 + size;
    }
    return decision;
}

bool mask_heard(struct mask *mask, struct decision *out) {
    struct span press;
    if (mask->hold == NULL || !hold_pressed(mask->hold, &press))
        return false;
    *out = (struct decision){.verdict = HELD, .key = press.code, .ssrc = mask->hold->ssrc, .timestamp = press.first};
    explicit_bzero(&press, sizeof press);
    return true;
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
    if (kind == TYPE_EVENT || looks_like_event(payload, size))
        return mask->shut = true;
    bool is_mu = kind == TYPE_MU || rtp.type == 0, is_a = kind == TYPE_A || rtp.type == 8;
    bool is_g722 = kind == TYPE_G722 || rtp.type == 9;
    if (mask->hold == NULL || !(is_mu || is_a || is_g722))
        return false;
    int16_t samples[FRAME_MOST];
    size = size < FRAME_MOST ? size : FRAME_MOST;
    for (size_t at = 0; at < size; at++)
        samples[at] = (int16_t)(is_mu || is_a ? g711_decode(is_mu ? CODING_MU : CODING_A, payload[at])
                                              : g722_hear(&mask->hold->left, payload[at]));
    mask->shut = canary_hears(&mask->hold->canary, samples, size);
    explicit_bzero(samples, size * sizeof *samples);
    return mask->shut;
}

struct decision mask_rtcp(const struct mask *mask, uint8_t *packet, size_t length) {
    struct decision decision = {.verdict = FORWARD, .key = KEY_NONE, .bytes = packet, .length = length};
    if (!rtcp_is(packet, length)) {
        if (mask->on || mask->types_known)
            decision.verdict = MALFORMED;
    } else if (mask->on) {
        decision.length = rtcp_reports(packet, length);
        if (decision.length == 0)
            decision.verdict = WITHHELD;
    }
    return decision;
}
