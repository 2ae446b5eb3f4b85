/* What passes from caller to agent, what it leaves as, and what was keyed: no I/O, no clock.
 *
 * The twin of media/rtp.py, telephone_event.py, sequence.py, reassembly.py and masking.py, where the reasons stand. */
#include "_core.h"

#include <string.h>

enum { MAX_DROPOUT = 3000, WINDOW = 64, REPLAY_GAP_MS = 250, SEGMENT = 0xFFFF, LONG_SEGMENT = 0xF000, REORDER_TICKS = 16000 };
enum { EVENT_BLOCKS = 8 }; /* media/telephone_event.py */

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }
static void put16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* --- RTP and RTCP (RFC 3550 sections 5.1 and 6) -------------------------------------------------------------------- */

bool rtp_parse(const uint8_t *packet, size_t length, struct rtp *out) {
    if (length < 12 || packet[0] >> 6 != 2)
        return false;
    size_t start = 12 + 4 * (size_t)(packet[0] & 0x0F), end = length;
    if (start > end)
        return false;
    if (packet[0] & 0x10) { /* header extension */
        if (end - start < 4)
            return false;
        start += 4 + 4 * (size_t)get16(packet + start + 2);
        if (start > end)
            return false;
    }
    if (packet[0] & 0x20) { /* padding: the last byte counts itself */
        size_t padding = end > start ? packet[end - 1] : 0;
        if (padding == 0 || padding > end - start)
            return false;
        end -= padding;
    }
    *out = (struct rtp){
        .type = packet[1] & 0x7F,
        .marker = packet[1] >> 7,
        .seq = get16(packet + 2),
        .timestamp = get32(packet + 4),
        .ssrc = get32(packet + 8),
        .start = start,
        .end = end,
    };
    return true;
}

bool rtcp_is(const uint8_t *packet, size_t length) {
    return length >= 4 && packet[0] >> 6 == 2 && packet[1] >= 192 && packet[1] <= 223;
}

enum { SENDER_REPORT = 200, RECEIVER_REPORT = 201 };

size_t rtcp_reports(const uint8_t *packet, size_t length) {
    size_t at = 0, reports = 0;
    while (at < length) {
        if (length - at < 4 || packet[at] >> 5 != 4) /* version 2, no padding */
            return 0;
        size_t count = packet[at] & 0x1F, size = 4 + 4 * (size_t)get16(packet + at + 2);
        uint8_t kind = packet[at + 1];
        if (size > length - at)
            return 0;
        if (reports == at && (kind == SENDER_REPORT || kind == RECEIVER_REPORT)) {
            if (size != (kind == SENDER_REPORT ? 28 : 8) + 24 * count) /* a profile-specific extension */
                return 0;
            reports += size;
        }
        at += size;
    }
    return reports;
}

bool rtcp_reception(const uint8_t *packet, size_t length, uint64_t *lost, uint64_t *jitter) {
    size_t end = rtcp_reports(packet, length);
    for (size_t at = 0; at < end; at += 4 + 4 * (size_t)get16(packet + at + 2)) {
        if ((packet[at] & 0x1F) == 0)
            continue;
        const uint8_t *block = packet + at + (packet[at + 1] == SENDER_REPORT ? 28 : 8);
        uint32_t total = get32(block + 4) & 0xFFFFFF;
        *lost = total & 0x800000 ? 0 : total; /* negative: more duplicates than losses */
        *jitter = get32(block + 12);
        return true;
    }
    return false;
}

/* --- sequence numbers without a gap (media/sequence.py) ------------------------------------------------------------ */

static int ones(uint64_t bits) { return __builtin_popcountll(bits); }

static void track_advance(struct track *track, unsigned step, bool withhold) {
    track->highest = (uint16_t)(track->highest + step);
    track->withheld = step < WINDOW ? track->withheld << step : 0;
    if (withhold) {
        track->withheld |= 1;
        track->shift++;
    }
}

static struct track *track_find(struct mask *mask, uint32_t ssrc) {
    struct track *oldest = &mask->tracks[0];
    for (int i = 0; i < TRACKS; i++) {
        struct track *track = &mask->tracks[i];
        if (track->used && track->ssrc == ssrc)
            return track;
        if (!track->used ? oldest->used : (oldest->used && track->used_at < oldest->used_at))
            oldest = track;
    }
    *oldest = (struct track){.ssrc = ssrc};
    return oldest;
}

/* A recording is played again: what looks late or doubled is new. */
static void track_replay(struct mask *mask, uint32_t ssrc, uint16_t seq) {
    struct track *track = track_find(mask, ssrc);
    if (track->used && (int16_t)(uint16_t)(seq - track->highest) <= 0) {
        track->highest = (uint16_t)(seq - 1);
        track->withheld = 0;
        track->probing = false;
    }
}

/* Whether the packet may leave, and then as which sequence number. */
static bool track_pass(struct mask *mask, uint32_t ssrc, uint16_t seq, bool withhold, uint16_t *leaves_as) {
    struct track *track = track_find(mask, ssrc);
    track->used_at = ++mask->clock;
    if (!track->used) {
        track->used = true;
        track->highest = (uint16_t)(seq - 1);
    }
    int delta = (int16_t)(uint16_t)(seq - track->highest);
    uint16_t shift = track->shift;
    if (delta > 0 && delta <= MAX_DROPOUT) {
        track_advance(track, (unsigned)delta, withhold);
        track->probing = false;
        shift = track->shift;
    } else if (delta <= 0 && delta > -WINDOW) {
        unsigned back = (unsigned)-delta;
        if (track->withheld >> back & 1)
            withhold = true; /* its number was given away */
        shift = (uint16_t)(shift - ones(track->withheld & ((UINT64_C(1) << back) - 1)));
    } else {
        int step = (int16_t)(uint16_t)(seq - track->probe);
        if (track->probing && step > 0 && step <= MAX_DROPOUT) { /* twice in a row: the sender began anew */
            track->highest = track->probe;
            track->withheld = 0;
            if (track->probe_withheld) {
                track->withheld = 1;
                track->shift++;
            }
            track_advance(track, (unsigned)step, withhold);
            track->probing = false;
            shift = track->shift;
        } else {
            track->probing = true;
            track->probe = seq;
            track->probe_withheld = withhold;
        }
    }
    *leaves_as = (uint16_t)(seq - shift);
    return !withhold;
}

/* What fills a gap in time takes the next number. False: the SSRC is forgotten. */
static bool track_insert(struct mask *mask, uint32_t ssrc, uint16_t *leaves_as) {
    for (int i = 0; i < TRACKS; i++) {
        struct track *track = &mask->tracks[i];
        if (!track->used || track->ssrc != ssrc)
            continue;
        track->shift--;
        track->withheld = UINT64_MAX; /* what is still on its way from before has no number any more */
        *leaves_as = (uint16_t)(track->highest - track->shift);
        return true;
    }
    return false;
}

/* --- one key press, one digit (media/reassembly.py) ---------------------------------------------------------------- */

struct sighting {
    bool is_new, replayed, withheld;
};

static struct sighting press_sight(struct mask *mask, const struct rtp *rtp, const uint8_t *payload, int64_t now_ms) {
    bool end = payload[1] >> 7;
    uint16_t duration = get16(payload + 2);
    struct press *slot = NULL;
    for (int i = 0; i < PRESSES; i++) {
        struct press *press = &mask->presses[i];
        if (!press->used || press->ssrc != rtp->ssrc || press->timestamp != rtp->timestamp)
            continue;
        bool restarted = duration < press->duration || (rtp->marker && duration == press->duration);
        if (restarted && now_ms - press->last_ms > REPLAY_GAP_MS) {
            slot = press;
            break;
        }
        press->last_ms = now_ms;
        press->ended |= end;
        press->withheld |= mask->on;
        if (duration > press->duration)
            press->duration = duration;
        return (struct sighting){.withheld = press->withheld};
    }
    bool continues = false, replayed = slot != NULL, withheld = mask->on;
    if (!replayed) {
        for (int i = 0; i < PRESSES; i++) {
            struct press *press = &mask->presses[i];
            if (press->used && !press->ended && press->ssrc == rtp->ssrc) {
                uint32_t step = rtp->timestamp - press->timestamp;
                bool by_duration = !rtp->marker && press->duration >= LONG_SEGMENT && step == press->duration;
                if (step == SEGMENT || by_duration) {
                    continues = true;
                    withheld |= press->withheld;
                    press->ended = true;
                }
            }
            if (slot == NULL || (!press->used ? slot->used : (slot->used && press->last_ms < slot->last_ms)))
                slot = press;
        }
    }
    *slot = (struct press){
        .used = true,
        .ended = end,
        .withheld = withheld,
        .duration = duration,
        .ssrc = rtp->ssrc,
        .timestamp = rtp->timestamp,
        .last_ms = now_ms,
    };
    return (struct sighting){.is_new = !continues, .replayed = replayed, .withheld = withheld};
}

bool keys_put(struct keys *keys, int code, uint32_t ssrc, uint32_t timestamp, int64_t now_ms) {
    if (keys->count == KEYS)
        return false;
    int at = keys->count;
    while (at > 0) {
        const struct key *before = &keys->held[at - 1];
        int32_t ahead = (int32_t)(before->timestamp - timestamp);
        if (now_ms - before->seen_ms >= KEY_HOLD_MS || before->ssrc != ssrc || ahead <= 0 || ahead > REORDER_TICKS)
            break;
        keys->held[at] = *before;
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
    keys->count -= taken;
    memmove(keys->held, keys->held + taken, (size_t)keys->count * sizeof keys->held[0]);
    explicit_bzero(keys->held + keys->count, (size_t)taken * sizeof keys->held[0]);
    return taken;
}

/* --- the mask (media/masking.py) ------------------------------------------------------------------------------------ */

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
    bool withhold = mask->on && is_closed, is_g711 = mask->on && !is_closed && kind != TYPE_AUDIO;
    struct hold *hold = mask->on ? mask->hold : NULL;
    if (is_event && payload[0] <= 15) {
        struct sighting sighting = press_sight(mask, &rtp, payload, now_ms);
        withhold |= sighting.withheld;
        if (sighting.replayed)
            track_replay(mask, rtp.ssrc, rtp.seq);
        if (sighting.is_new) {
            decision.key = payload[0];
            decision.ssrc = rtp.ssrc;
            decision.timestamp = rtp.timestamp;
        }
    }
    if (is_g711) {
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
    if (is_g711) {
        struct frame frame = {.type = rtp.type, .marker = rtp.marker, .law = kind == TYPE_MU ? LAW_MU : LAW_A,
                              .seq = leaves_as, .timestamp = rtp.timestamp, .ssrc = rtp.ssrc, .size = (int)size};
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

bool mask_leaks(struct mask *mask, const uint8_t *packet, size_t length) {
    struct rtp rtp;
    if (!mask->on || mask->shut)
        return false;
    if (!rtp_parse(packet, length, &rtp))
        return mask->shut = true;
    const uint8_t *payload = packet + rtp.start;
    size_t size = rtp.end - rtp.start;
    if (mask->kinds[rtp.type] == TYPE_EVENT || looks_like_event(payload, size))
        return mask->shut = true;
    bool is_mu = mask->kinds[rtp.type] == TYPE_MU || rtp.type == 0, is_a = mask->kinds[rtp.type] == TYPE_A || rtp.type == 8;
    if (mask->hold == NULL || !(is_mu || is_a))
        return false;
    int16_t samples[FRAME_MOST];
    size = size < FRAME_MOST ? size : FRAME_MOST;
    for (size_t at = 0; at < size; at++)
        samples[at] = (int16_t)g711_decode(is_mu ? LAW_MU : LAW_A, payload[at]);
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
