/* Decides about each packet between the customer and the agent. The reasons are in
 * media/reference/masking.py.
 *
 * A packet of the customer's goes through `mask_rtp` from top to bottom; each stage is one
 * function:
 *   sight_events       the presses that it begins, as telephone-events (mask/events.c,
 *                      dtmf/reassembly.c)
 *   judge_payload      whether it must not leave, by its type and by its octets
 *   admit_audio        whether its audio may be held (mask/hold.c) or decoded elsewhere
 *                      (mask/gap.c); time before it is filled
 *   sequence_pass      the sequence number under which it leaves (rtp/sequence.c)
 *   shut_around_event  audio around an event is shut, and the event's time filled
 *   withhold_packet, hold_packet or forward_packet
 *   add_tones          the presses that its audio completes (audio/tones.c) */
#include "mask/mask.h"

#include "mask/events.h"
#include "rtp/rtcp.h"
#include "rtp/rtcp_report.h"
#include "rtp/wire.h"

#include <string.h>

_Static_assert((int)PRESS_LOST == (int)KEY_LOST, "a lost press of the hold is a lost key");

/* One packet on its way through the stages. It holds no digit. */
struct passage {
    struct mask *mask;
    struct decision *decision;
    uint8_t *packet;
    int64_t now_ms;
    struct rtp rtp; /* of the primary block, once redundancy is off */
    size_t came; /* octets of the payload that came */
    struct events_seen seen;
    enum type_kind kind;
    bool is_key; /* the payload is of events, or may be */
    bool withhold; /* nothing of it leaves */
    bool is_held; /* its audio goes into the hold */
    bool is_decoded; /* its audio is decoded elsewhere, and `gap` is of it */
    struct gap gap;
    uint16_t leaves_as;
};

static size_t payload_size(const struct passage *it) { return it->rtp.end - it->rtp.start; }

/* --- filling ---------------------------------------------------------------------------------- */

/* Fills the time before `timestamp` with silence, where the hold lacks it. */
static void fill_hold(struct mask *mask, uint32_t timestamp, bool event) {
    struct hold *hold = mask->hold;
    uint16_t leaves_as;
    for (int size; (size = hold_lacks(hold, timestamp, event)) > 0;) {
        if (!sequence_insert(&mask->tracks, hold->ssrc, &leaves_as))
            return;
        sequence_count_unsent(&mask->tracks, hold->ssrc, -1, -size);
        hold_fill(hold, size, leaves_as);
    }
}

/* The same in a codec that is decoded elsewhere. */
static void fill_gap(struct passage *it, uint32_t timestamp, bool event) {
    struct mask *mask = it->mask;
    struct gap *gap = &mask->gap;
    struct filling *filling = &it->decision->filling;
    uint8_t quiet[QUEUE_PACKET];
    uint16_t leaves_as;
    bool is_agreed =
        mask->types.kinds[gap->type] == TYPE_DECODED && mask->types.codecs[gap->type] == gap->codec;
    if (it->rtp.ssrc != gap->ssrc || !is_agreed)
        return;
    gap_let_pass(gap, it->now_ms);
    for (uint32_t ticks; filling->count < FILLINGS_MAX && (ticks = gap_lacks(gap, timestamp, event)) > 0;) {
        if (!sequence_insert(&mask->tracks, gap->ssrc, &leaves_as))
            return;
        int octets = (int)codec_silence(gap->codec, ticks, quiet, sizeof quiet);
        sequence_count_unsent(&mask->tracks, gap->ssrc, -1, -octets);
        gap_fill(gap, filling, ticks, leaves_as);
    }
}

/* --- stages ----------------------------------------------------------------------------------- */

static void sight_events(struct passage *it) {
    it->decision->ssrc = it->rtp.ssrc;
    it->came = payload_size(it);
    it->seen = events_sight(it->mask, &it->rtp, it->packet, it->now_ms, it->decision);
    it->kind = it->mask->types.kinds[it->rtp.type];
    if (it->kind != TYPE_EVENT && !it->seen.has_until)
        event_sender_follow(&it->mask->sender, &it->rtp, it->now_ms);
}

static void judge_payload(struct passage *it) {
    bool on = it->mask->on, is_known = it->kind != TYPE_UNKNOWN && it->kind != TYPE_RED;
    it->is_key = it->kind == TYPE_EVENT || events_look_alike(it->packet + it->rtp.start, payload_size(it));
    bool is_closed = it->is_key || !is_known || it->kind == TYPE_OPAQUE;
    bool is_too_short = payload_types_is_read(it->kind) && payload_size(it) < FRAME_MIN;
    it->withhold = it->seen.primary || (it->seen.unwrapped && !is_known) ||
                   (on && (is_closed || is_too_short)) || (it->mask->drops_events && it->kind == TYPE_EVENT);
}

/* Where there is no hold, no audio leaves that the core decodes. */
static void admit_to_hold(struct passage *it) {
    struct hold *hold = it->mask->hold;
    it->is_held =
        hold != NULL && hold_accepts(hold, it->rtp.ssrc, it->rtp.timestamp, payload_size(it), it->now_ms);
    it->withhold = !it->is_held;
    if (it->is_held)
        fill_hold(it->mask, it->rtp.timestamp, false);
}

static void admit_to_queue(struct passage *it) {
    size_t size = payload_size(it);
    enum codec codec = (enum codec)it->mask->types.codecs[it->rtp.type];
    uint32_t step = size <= GAP_PAYLOAD_MAX ? codec_duration(codec, it->packet + it->rtp.start, size) : 0;
    it->is_decoded = step > 0 && gap_accepts(&it->mask->gap, it->rtp.ssrc, it->rtp.timestamp, it->now_ms);
    it->withhold = !it->is_decoded;
    it->gap = (struct gap){.bound = true,
                           .type = it->rtp.type,
                           .codec = codec,
                           .ssrc = it->rtp.ssrc,
                           .next = it->rtp.timestamp + step,
                           .step = step,
                           .came_ms = it->now_ms,
                           .passed_ms = it->now_ms};
    if (it->is_decoded)
        fill_gap(it, it->rtp.timestamp, false);
}

static void admit_audio(struct passage *it) {
    if (!it->mask->on || it->withhold || it->kind == TYPE_AUDIO)
        return;
    if (it->kind == TYPE_DECODED)
        admit_to_queue(it);
    else
        admit_to_hold(it);
}

static void shut_around_event(struct passage *it) {
    struct mask *mask = it->mask;
    bool is_event = it->withhold && it->is_key,
         opens_window = mask->on && (is_event || it->decision->count > 0);
    if (mask->on && mask->hold != NULL && is_event) {
        hold_event(mask->hold, it->now_ms);
        if (it->seen.has_until && mask->hold->bound && it->rtp.ssrc == mask->hold->ssrc)
            fill_hold(mask, it->seen.until, true);
    }
    it->decision->opens_window = opens_window;
    if (!opens_window)
        return;
    mask_note_key(mask, it->now_ms);
    mask->gap.after_event = true;
    if (it->withhold && it->seen.has_until)
        fill_gap(it, it->seen.until, true);
}

static void withhold_packet(struct passage *it) {
    sequence_count_unsent(&it->mask->tracks, it->rtp.ssrc, 1, (int)it->came);
    it->decision->verdict = VERDICT_WITHHOLD;
}

static void hold_packet(struct passage *it) {
    struct frame frame = {.type = it->rtp.type,
                          .marker = it->rtp.marker,
                          .coding = payload_types_coding(it->kind),
                          .seq = it->leaves_as,
                          .timestamp = it->rtp.timestamp,
                          .ssrc = it->rtp.ssrc,
                          .size = (int)payload_size(it)};
    hold_audio(it->mask->hold, frame, it->packet + it->rtp.start, it->now_ms);
    it->decision->verdict = VERDICT_HOLD;
}

/* Masked, or without its redundancy, the packet is a fixed header and its payload: CSRCs, extension
 * and padding stay behind. */
static void forward_packet(struct passage *it) {
    struct decision *decision = it->decision;
    it->rtp.seq = it->leaves_as;
    put16(it->packet + 2, it->leaves_as);
    if (it->mask->on || it->seen.unwrapped) {
        decision->bytes = it->packet + it->rtp.start - RTP_HEADER;
        decision->length = RTP_HEADER + payload_size(it);
        rtp_put_header(decision->bytes, &it->rtp);
    }
    if (it->is_decoded) {
        decision->verdict = VERDICT_ASK;
        decision->codec = it->gap.codec;
        it->mask->gap = it->gap;
    }
}

/* Presses that the hold has read from tones. */
static void add_tones(struct hold *hold, struct decision *decision) {
    struct span press = {0};
    while (hold != NULL && decision->count <= KEYS && hold_pressed(hold, &press))
        decision_add_press(decision, (uint8_t)press.code, press.first);
    explicit_bzero(&press, sizeof press);
}

/* --- packets ---------------------------------------------------------------------------------- */

/* Neither malformed packets nor RTCP on the RTP port have a sequence number. Whether the packet is
 * another. */
static bool has_number(const struct mask *mask, const struct rtp *rtp, struct decision *decision) {
    if (rtp == NULL && (mask->on || mask->types.are_known))
        decision->verdict = VERDICT_MALFORMED;
    else if (rtp != NULL && rtp_is_rtcp(rtp) && mask->on)
        decision->verdict = VERDICT_WITHHOLD;
    return rtp != NULL && !rtp_is_rtcp(rtp);
}

void mask_rtp(struct mask *mask, uint8_t *packet, size_t length, const struct rtp *rtp, int64_t now_ms,
              struct decision *decision) {
    decision_begin(decision, packet, length);
    if (has_number(mask, rtp, decision)) {
        struct passage it = {
            .mask = mask, .decision = decision, .packet = packet, .now_ms = now_ms, .rtp = *rtp};
        sight_events(&it);
        judge_payload(&it);
        admit_audio(&it);
        bool passes = sequence_pass(&mask->tracks, it.rtp.ssrc, it.rtp.seq, it.withhold, &it.leaves_as);
        shut_around_event(&it);
        if (passes) /* octets of redundancy and the like do not */
            sequence_count_unsent(&mask->tracks, it.rtp.ssrc, 0, (int)(it.came - payload_size(&it)));
        if (!passes)
            withhold_packet(&it);
        else if (it.is_held)
            hold_packet(&it);
        else
            forward_packet(&it);
    }
    add_tones(mask->hold, decision);
}

/* Whether a packet on an RTCP port is RTCP, or may be anything as long as nothing is known of the
 * stream. */
static bool may_be_rtcp(const struct mask *mask, const uint8_t *packet, size_t length,
                        struct decision *decision) {
    bool is_rtcp = rtcp_is(packet, length);
    if (!is_rtcp && (mask->on || mask->types.are_known))
        decision->verdict = VERDICT_MALFORMED;
    return is_rtcp;
}

void mask_caller_rtcp(const struct mask *mask, uint8_t *packet, size_t length, struct decision *decision) {
    decision_begin(decision, packet, length);
    if (!may_be_rtcp(mask, packet, length, decision))
        return;
    if (mask->on)
        decision->length = rtcp_leading_reports(packet, length);
    rtcp_report_as_sent(&mask->tracks, packet, decision->length);
    if (decision->length == 0)
        decision->verdict = VERDICT_WITHHOLD;
}

void mask_agent_rtcp(const struct mask *mask, uint8_t *packet, size_t length, struct decision *decision) {
    decision_begin(decision, packet, length);
    if (may_be_rtcp(mask, packet, length, decision))
        rtcp_report_as_received(&mask->tracks, packet, length);
}

/* --- keys ------------------------------------------------------------------------------------- */

void mask_note_key(struct mask *mask, int64_t now_ms) {
    mask->keyed = mask->on;
    mask->keyed_ms = now_ms;
}

bool mask_is_quiet(const struct mask *mask, int64_t now_ms, int64_t quiet_ms) {
    bool is_quiet = !mask->keyed || now_ms - mask->keyed_ms >= quiet_ms;
    return is_quiet && (mask->hold == NULL || hold_is_quiet(mask->hold, now_ms, quiet_ms));
}

struct key_figures mask_key_figures(const struct mask *mask) {
    const struct hold *hold = mask->hold;
    return (struct key_figures){.events = mask->on ? mask->event_presses : 0,
                                .tones = hold != NULL ? hold->tones.presses : 0,
                                .shared = hold != NULL ? hold->tones.shared : 0,
                                .talks = hold != NULL && talk_goes_on(&hold->talk)};
}

bool mask_send_key(struct mask *mask, const struct outgoing_key *key, uint32_t own, int64_t now_ms) {
    return !mask->on && event_sender_put(&mask->sender, key, own, now_ms);
}

size_t mask_next_sent(struct mask *mask, int64_t now_ms, uint8_t out[EVENT_PACKET]) {
    return mask->on ? 0 : event_sender_next(&mask->sender, &mask->tracks, now_ms, out);
}
