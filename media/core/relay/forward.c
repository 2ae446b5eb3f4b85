/* One packet: read, looked at by mask/mask.c, sent on; and what leaves because its time has come.
 *
 * Rule 1: nothing waits for room: an event has its place in its stream, a key without room ends its capture.
 * Rule 2: a packet that may hold a key is wiped from the buffer, which is secret memory, and so is what was decided about
 *         it. The kernel's socket buffers are out of reach. */
#include "relay/relay.h"

#include <string.h>
#include <time.h>

enum { TICK_MS = 10 };
_Static_assert((int)HOLD_PACKET <= (int)BUFFER && (int)QUEUE_PACKET <= (int)BUFFER, "what leaves fits beside what came");

int64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- packets ---------------------------------------------------------------------------------------------------------- */

static void keep_keys(struct relay *relay, struct stream *stream, const struct decision *decision, int64_t now_ms) {
    for (int i = 0; i < decision->count; i++) {
        const struct pressed *pressed = &decision->pressed[i];
        if (!keys_put(stream->keys, pressed->code, decision->ssrc, pressed->timestamp, now_ms)) {
            stop_capture(stream); /* a number with a hole is worse than none */
            report(relay, stream, OVERFLOW);
            return;
        }
    }
    if (now_ms + KEY_HOLD_MS < relay->due_ms)
        relay->due_ms = now_ms + KEY_HOLD_MS;
}

static void decide(struct relay *relay, struct stream *stream, int index, uint8_t *packet, size_t length, int64_t now_ms) {
    struct mask *mask = &stream->mask;
    struct decision *decision = relay->decision;
    struct rtp rtp;
    switch (index) {
    case CALLER_RTP:
        mask_rtp(mask, packet, length, now_ms, decision);
        if (decision->count > 0 && stream->capture)
            keep_keys(relay, stream, decision, now_ms);
        break;
    case CALLER_RTCP:
        mask_rtcp(mask, packet, length, decision);
        break;
    case AGENT_RTP:
        decision_begin(decision, packet, length);
        if (mask->types_known && !rtp_parse(packet, length, &rtp))
            decision->verdict = MALFORMED;
        break;
    default:
        mask_rtcp_back(mask, packet, length, decision);
    }
}

/* What the canary hears does not leave, nor anything after it. */
static bool may_leave(struct relay *relay, struct stream *stream, const uint8_t *packet, size_t length) {
    if (mask_leaks(&stream->mask, packet, length))
        report(relay, stream, LEAKED);
    if (stream->mask.shut)
        stream->counters[AGENT].masked++;
    return !stream->mask.shut;
}

/* `packet` is in our buffer, with SRTP_ROOM bytes behind it. */
static bool send_on(struct stream *stream, int index, uint8_t *packet, size_t length) {
    bool is_rtp = index % 2 == 0;
    const struct endpoint *to = &stream->endpoints[!is_rtp && stream->muxed[index / 2] ? index - 1 : index];
    const struct sockaddr_storage *peer = &to->source.current;
    struct crypto *crypto = stream->crypto[index / 2];
    if (!to->source.present || (crypto != NULL && !crypto_seal(crypto, is_rtp, packet, &length)))
        return false;
    return sendto(to->fd, packet, length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)peer,
                  source_length(peer)) >= 0;
}

/* When what waits leaves, if nothing more comes. */
static int64_t release_due_ms(const struct stream *stream) {
    int64_t hold_ms = stream->mask.hold != NULL ? hold_due_ms(stream->mask.hold) : INT64_MAX;
    int64_t queue_ms = stream->queue != NULL ? queue_due_ms(stream->queue) : INT64_MAX;
    int64_t sender_ms = sender_due_ms(&stream->mask.sender), audio_ms = hold_ms < queue_ms ? hold_ms : queue_ms;
    return audio_ms < sender_ms ? audio_ms : sender_ms;
}

void release(struct relay *relay, struct stream *stream, bool all_of_it) {
    struct hold *hold = stream->mask.hold;
    relay->stack_is_secret |= stream->mask.on;
    uint8_t *out = relay->buffer.bytes + SPACING;
    for (size_t length; hold != NULL && (length = hold_next(hold, all_of_it, out)) > 0;)
        if (may_leave(relay, stream, out, length) && send_on(stream, AGENT_RTP, out, length))
            stream->counters[AGENT].sent++;
    enum codec codec;
    for (size_t length; stream->queue != NULL && (length = queue_next(stream->queue, clock_ms(), out, &codec)) > 0;)
        if (may_leave(relay, stream, out, length)) {
            decoder_left(relay, stream, codec, out, length);
            if (send_on(stream, AGENT_RTP, out, length))
                stream->counters[AGENT].sent++;
        }
    for (size_t length; (length = sender_next(&stream->mask, clock_ms(), out)) > 0;)
        if (send_on(stream, AGENT_RTP, out, length))
            stream->counters[AGENT].sent++;
    int64_t due_ms = release_due_ms(stream);
    if (due_ms < relay->due_ms)
        relay->due_ms = due_ms;
}

bool relay_one(struct relay *relay, struct endpoint *from, int64_t now_ms) {
    struct stream *stream = from->stream;
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    uint8_t *packet = relay->buffer.bytes;
    ssize_t got = recvfrom(from->fd, packet, BUFFER, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&address, &size);
    if (got < 0)
        return false; /* nothing there, or an ICMP error that was waiting */
    size_t length = (size_t)got > BUFFER ? BUFFER : (size_t)got;
    int leg = from->index / 2, other = !leg;
    bool on_rtp = from->index % 2 == 0, oversized = (size_t)got > BUFFER;
    bool is_rtp = on_rtp && !(stream->muxed[leg] && rtcp_is(packet, length)); /* RFC 5761 section 4 */
    int index = 2 * leg + !is_rtp; /* of what it is, wherever it came */
    struct counters *here = &stream->counters[leg], *there = &stream->counters[other];
    struct rtp rtp;
    bool waits = source_waits(&from->source, &address, now_ms), was_locked = from->source.locked;
    struct arrived *arrived = &stream->arrived[leg];
    struct crypto *crypto = oversized ? NULL : stream->crypto[leg];
    uint8_t *scratch = packet + SPACING;
    bool is_clear = crypto == NULL || (waits && crypto_open(crypto, is_rtp, packet, &length, scratch));
    bool valid = waits && !oversized && is_clear && (on_rtp ? is_rtp : rtcp_is(packet, length));
    if (valid && on_rtp && stream->mask.types_known) /* elsewhere it need not be RTP: a fax's is not */
        valid = rtp_parse(packet, length, &rtp);
    const struct source *paired = on_rtp ? NULL : &stream->endpoints[from->index - 1].source;
    if (!source_admits(&from->source, paired, &address, valid, now_ms)) {
        here->strangers++;
        if (waits && !is_clear)
            arrived->unproved++;
        arrived->stranger = address;
        arrived->has_stranger = true;
        explicit_bzero(packet, length);
        return true;
    }
    here->received++;
    if (on_rtp && waits && was_locked) /* another was taken for it: its RTCP, too */
        from[1].source.locked = false;
    if (!is_clear && !waits)
        is_clear = crypto_open(crypto, is_rtp, packet, &length, scratch);
    if (!is_clear)
        arrived->unproved++;
    struct decision *decision = relay->decision;
    decision_begin(decision, packet, length);
    decision->verdict = MALFORMED;
    if (!oversized && is_clear && is_rtp && rtp_parse(packet, length, &rtp) && !rtp_is_rtcp(&rtp)) {
        arrived->types[rtp.type]++;
        arrivals_take(&stream->arrivals[leg], &rtp, stream->clock, now_ms, stream->mask.kinds[rtp.type] != TYPE_EVENT);
    }
    if (!oversized && is_clear)
        decide(relay, stream, index, packet, length, now_ms);
    if (!is_rtp && !oversized && is_clear && rtcp_reception(packet, length, &here->lost, &here->jitter))
        here->reports++;
    if (decision->opens_window)
        decoder_event(relay, stream, now_ms);
    if (decision->filling.count > 0)
        decoder_fill(relay, stream, &decision->filling, now_ms);
    if (decision->verdict == ASK && !decoder_ask(relay, stream, decision->codec, decision->bytes, decision->length, now_ms))
        decision->verdict = WITHHELD;
    if (decision->verdict == MALFORMED) {
        here->malformed++;
    } else if (decision->verdict == WITHHELD) {
        there->masked++;
    } else if (decision->verdict == FORWARD &&
               (index != CALLER_RTP || may_leave(relay, stream, decision->bytes, decision->length)) &&
               send_on(stream, 2 * other + !is_rtp, decision->bytes, decision->length)) {
        there->sent++;
    }
    if (index == CALLER_RTP && stream->mask.hold != NULL)
        release(relay, stream, false);
    enum type_kind kind = stream->mask.kinds[packet[1] & 0x7F];
    bool is_plain_audio = is_rtp && decision->verdict == FORWARD && length > 1 && !stream->mask.on && kind != TYPE_EVENT &&
                          kind != TYPE_RED && decision->bytes == packet;
    if (!is_plain_audio)
        explicit_bzero(packet, length);
    decision_wipe(decision);
    relay->stack_is_secret |= stream->mask.on || stream->capture;
    return true;
}

/* --- time --------------------------------------------------------------------------------------------------------------- */

/* What waits for more leaves, if nothing came for long. When to look again. */
static int64_t tend_hold(struct relay *relay, struct stream *stream, int64_t now_ms) {
    struct hold *hold = stream->mask.hold;
    if (hold != NULL && now_ms >= hold_due_ms(hold)) {
        hold_end(hold);
        release(relay, stream, true);
    } else if (now_ms >= release_due_ms(stream)) {
        release(relay, stream, false);
    }
    return release_due_ms(stream);
}

/* Announce keys whose hold is over; find when to look again. */
void tend(struct relay *relay, int64_t now_ms) {
    int64_t due_ms = INT64_MAX;
    for (int bucket = 0; bucket < BUCKETS; bucket++)
        for (struct stream *stream = relay->buckets[bucket]; stream != NULL; stream = stream->next) {
            int64_t hold_due = tend_hold(relay, stream, now_ms);
            if (hold_due < due_ms)
                due_ms = hold_due;
            if (stream->capture && stream->keys->count > 0 && !stream->announced) {
                if (keys_ripe(stream->keys, now_ms) > 0) {
                    stream->announced = true;
                    report(relay, stream, KEYED);
                } else if (stream->keys->held[0].seen_ms + KEY_HOLD_MS < due_ms) {
                    due_ms = stream->keys->held[0].seen_ms + KEY_HOLD_MS;
                }
            }
        }
    relay->due_ms = due_ms < now_ms + TICK_MS ? now_ms + TICK_MS : due_ms;
}
