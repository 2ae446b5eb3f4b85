/* Telephone-events in a packet, whatever its type says. The reasons are in
 * media/reference/sighted_events.py and telephone_event.py. */
#include "mask/events.h"

#include "rtp/wire.h"

#include <string.h>

/* Events of one packet, more than any has use for; octets of one. */
enum { EVENT_BLOCKS = 8, EVENT_OCTETS = 4 };

/* --- payloads that may be events -------------------------------------------------------------- */

/* Whether the same octet stands from here to the end, as filling. */
static bool is_filling(const uint8_t *payload, size_t at, size_t length) {
    for (size_t i = at + 1; i < length; i++)
        if (payload[i] != payload[at])
            return false;
    return true;
}

bool events_look_alike(const uint8_t *payload, size_t length) {
    if (length < EVENT_OCTETS || payload[0] > 15 || (length >= FRAME_MIN && is_filling(payload, 0, length)))
        return false;
    for (size_t at = EVENT_OCTETS; at < length; at += EVENT_OCTETS) {
        size_t rest = length - at;
        bool is_event = rest >= EVENT_OCTETS ? payload[at] <= 15 : memcmp(payload, payload + at, rest) == 0;
        if (!is_event)
            return is_filling(payload, at, length);
    }
    return true;
}

/* Whether a packet of another type is the second of an event, or a later one. */
static bool is_stray_event(struct mask *mask, const struct rtp *rtp, const uint8_t *packet, int64_t now_ms) {
    const uint8_t *event = packet + rtp->start;
    if (!mask->on || rtp->end - rtp->start != EVENT_OCTETS || event[0] > 15 || event[1] & 0x40 ||
        get16(event + 2) == 0)
        return false;
    struct suspect before = mask->suspect;
    int next = rtp_seq_ahead(rtp->seq, before.seq);
    mask->suspect = (struct suspect){
        .used = true, .seq = rtp->seq, .ssrc = rtp->ssrc, .timestamp = rtp->timestamp, .at_ms = now_ms};
    return before.used && before.ssrc == rtp->ssrc && before.timestamp == rtp->timestamp && next > 0 &&
           next <= NEXT && now_ms - before.at_ms <= ALIVE_MS;
}

/* --- sightings -------------------------------------------------------------------------------- */

static void sight_event(struct mask *mask, const struct arrival *arrival, struct decision *decision,
                        struct events_seen *seen) {
    struct sighting sighting = reassembly_sight(&mask->presses, arrival);
    if (sighting.replayed)
        sequence_replay(&mask->tracks, arrival->ssrc, arrival->seq);
    bool was_tone = mask->on && mask->hold != NULL &&
                    hold_key(mask->hold, arrival->ssrc, arrival->timestamp, arrival->code, arrival->duration,
                             sighting.is_new);
    mask->event_presses += sighting.is_new && mask->on;
    if (sighting.lost || (sighting.is_new && !was_tone))
        decision_add_press(decision, sighting.lost ? KEY_LOST : arrival->code, arrival->timestamp);
    seen->withheld |= sighting.withheld;
    if (!arrival->copy) {
        seen->primary |= sighting.withheld;
        seen->has_until = true;
        seen->until = arrival->timestamp + arrival->duration;
    }
}

/* All events that stand one behind another in a block (RFC 4733 section 2.5.1.5). */
static void sight_block(struct mask *mask, const struct rtp *rtp, const struct red_block *block,
                        const uint8_t *packet, int64_t now_ms, struct decision *decision,
                        struct events_seen *seen) {
    uint32_t begins = block->timestamp;
    bool follows = true;
    for (size_t at = 0; block->size - at >= EVENT_OCTETS && follows; at += EVENT_OCTETS) {
        const uint8_t *event = packet + block->start + at;
        uint16_t duration = get16(event + 2);
        if (at > 0 && duration == 0) /* filling */
            return;
        if (at == EVENT_OCTETS * EVENT_BLOCKS) {
            decision_add_press(decision, KEY_LOST, begins);
            return;
        }
        struct arrival arrival = {.marker = rtp->marker,
                                  .end = event[1] >> 7,
                                  .masked = mask->on || mask->drops_events,
                                  .copy = block->copy,
                                  .packed = at > 0,
                                  .code = event[0],
                                  .seq = rtp->seq,
                                  .duration = duration,
                                  .ssrc = rtp->ssrc,
                                  .timestamp = begins,
                                  .now_ms = now_ms};
        if (event[0] <= 15)
            sight_event(mask, &arrival, decision, seen);
        begins += duration;
        follows = event[1] >> 7 || duration == 0xFFFF;
    }
}

/* The primary block becomes the payload of the packet. */
static void unwrap_primary(struct rtp *rtp, const struct red_block *primary) {
    rtp->type = primary->type;
    rtp->start = primary->start;
    rtp->end = primary->start + primary->size;
}

struct events_seen events_sight(struct mask *mask, struct rtp *rtp, const uint8_t *packet, int64_t now_ms,
                                struct decision *decision) {
    struct events_seen seen = {0};
    enum type_kind kind = mask->types.kinds[rtp->type];
    struct red_block blocks[RED_BLOCKS] = {
        {.type = rtp->type, .timestamp = rtp->timestamp, .start = rtp->start}};
    blocks[0].size = rtp->end - rtp->start;
    bool is_stray = kind != TYPE_RED && kind != TYPE_EVENT && is_stray_event(mask, rtp, packet, now_ms);
    int count = kind == TYPE_RED ? red_unwrap(packet, rtp, blocks) : kind == TYPE_EVENT || is_stray;
    for (int i = 0; i < count; i++)
        if (mask->types.kinds[blocks[i].type] == TYPE_EVENT || is_stray)
            sight_block(mask, rtp, &blocks[i], packet, now_ms, decision, &seen);
    if (mask->on && kind == TYPE_RED && count == 0 && rtp->end > rtp->start)
        decision_add_press(decision, KEY_LOST, rtp->timestamp);
    if (mask->on)
        red_reach_mask(&mask->reach);
    if (kind != TYPE_RED)
        return seen;
    seen.unwrapped = mask->on || red_reach_is_back(&mask->reach, rtp, blocks, count) || seen.withheld;
    if (seen.unwrapped && count > 0)
        unwrap_primary(rtp, &blocks[count - 1]);
    if (decision->count > 0 && mask->on && mask->hold != NULL)
        hold_event(mask->hold, now_ms);
    return seen;
}

void events_constants(const struct constant_sink *sink) { CONSTANTS(sink, EVENT_BLOCKS, FRAME_MIN); }
