/* One packet, from the socket that it came to, to the peer on the other side.
 *
 * Rule 1: nothing waits for room: an event has its place in its stream, a key without room ends its
 *         capture.
 * Rule 2: a packet that may hold a key is wiped from the buffer, which is secret memory, and so is
 *         the decision about it. The kernel's socket buffers are out of reach.
 *
 * A stream has four sockets of ours, its endpoints: RTP and RTCP of the caller's leg, RTP and RTCP
 * of the agent's. Each has one peer, its source. These are the addresses in a packet's life, in the
 * order in which it meets them:
 *
 *   address                 the sender, as recvfrom(2) gives it. It may be anybody.
 *   from->fd                our socket that it comes to. Our SDP has given this address to the
 *                           peer.
 *   from->source.signalled  the peer's address as its own SDP has it (c=, m=, a=rtcp).
 *   from->source.current    the peer's address as we believe it. It begins as `signalled`. With
 *                           `latch`, the first good packet of that network locks another, as a NAT
 *                           before the peer makes it. Of RTCP, the address that RTP has locked
 *                           counts (`paired`). A packet from elsewhere is a stranger's: it is
 *                           counted and wiped.
 *   to                      the endpoint of the other leg for the packet's protocol. The packet's
 *                           protocol is not always its socket's: RTCP may be multiplexed on the RTP
 *                           port of either leg (RFC 5761).
 *   to->fd                  our socket that it leaves by. Our SDP has given this address to the
 *                           other peer, whose own checks of the source, and whose NAT, let it in.
 *   to->source.current      the other peer's address as we believe it: where the packet goes. Where
 *                           `present` is false it does not leave.
 *
 * Nothing of this changes the packet. The stages that do: `open_packet` takes SRTP off;
 * `decide_packet` has the mask withhold it, hold it, or rewrite it in place; `relay_send` puts the
 * other leg's SRTP on. */
#include "relay/forward.h"

#include "mask/agent_events.h"
#include "mask/mask.h"
#include "relay/clock.h"
#include "relay/decoder.h"
#include "relay/notices.h"
#include "relay/playing.h"
#include "relay/send.h"
#include "relay/table.h"
#include "relay/tap.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"

#include <string.h>
#include <sys/socket.h>

#define PASSED_EVERY_MS 1000

/* A packet on its way. It holds no digit; the octets are in secret memory. */
struct packet {
    struct stream *stream;
    struct endpoint *from;
    int64_t now_ms;
    struct sockaddr_storage address;
    uint8_t *bytes;
    size_t length;
    int leg;
    bool on_rtp, is_rtp; /* it came to an RTP socket; it is RTP, or may be */
    bool is_oversized; /* it did not fit the buffer */
    bool is_open; /* in clear, or authenticated and decrypted */
    bool is_parsed; /* `rtp` is its header */
    struct rtp rtp;
};

static bool is_caller_rtp(const struct packet *packet) { return packet->leg == CALLER && packet->is_rtp; }

/* --- the stages, in their order --------------------------------------------------------------- */

static bool receive_packet(struct relay *relay, struct packet *packet) {
    socklen_t size = sizeof packet->address;
    packet->bytes = relay->buffer.bytes;
    ssize_t got = recvfrom(packet->from->fd, packet->bytes, BUFFER, MSG_DONTWAIT | MSG_TRUNC,
                           (struct sockaddr *)&packet->address, &size);
    if (got < 0)
        return false; /* nothing is there, or an ICMP error was waiting */
    packet->is_oversized = (size_t)got > BUFFER;
    packet->length = packet->is_oversized ? BUFFER : (size_t)got;
    packet->leg = socket_leg(packet->from->index);
    packet->on_rtp = socket_is_rtp(packet->from->index);
    packet->is_rtp =
        packet->on_rtp && !(packet->stream->muxed[packet->leg] && rtcp_is(packet->bytes, packet->length));
    packet->is_open = packet->is_parsed = false;
    return true;
}

/* Takes SRTP off in place. */
static bool open_packet(struct packet *packet) {
    struct crypto *crypto = packet->stream->crypto[packet->leg];
    return crypto == NULL || packet->is_oversized ||
           crypto_open(crypto, packet->is_rtp, packet->bytes, &packet->length, packet->bytes + SPACING);
}

/* Whether it is good enough to lock the source. Where no payload types are known it need not be
 * RTP: a fax's is not. */
static bool is_valid(const struct packet *packet) {
    struct rtp ignored;
    if (packet->is_oversized || !packet->is_open)
        return false;
    if (!packet->on_rtp)
        return rtcp_is(packet->bytes, packet->length);
    return packet->is_rtp &&
           (!packet->stream->mask.types.are_known || rtp_parse(packet->bytes, packet->length, &ignored));
}

/* Not inlined: a source is locked once, or twice. */
static __attribute__((noinline)) void note_latches(const struct packet *packet) {
    struct latch *latches = packet->stream->slot->latches;
    for (int index = socket_of(packet->leg, true); index <= socket_of(packet->leg, false); index++)
        latch_note(&latches[index], &packet->stream->endpoints[index].source);
}

/* Whether it is the peer's. Only where the source is to be locked does a packet have to
 * authenticate before that is known. */
static bool admit_packet(struct packet *packet) {
    struct endpoint *from = packet->from;
    struct arrived *arrived = &packet->stream->slot->arrived[packet->leg];
    bool locks = source_waits(&from->source, &packet->address, packet->now_ms),
         was_locked = from->source.locked;
    const struct source *paired = packet->on_rtp ? NULL : &from[-1].source;
    packet->is_open = locks && open_packet(packet);
    bool is_peer =
        source_admits(&from->source, paired, &packet->address, locks && is_valid(packet), packet->now_ms);
    if (is_peer && !locks)
        packet->is_open = open_packet(packet);
    if (is_peer && locks && was_locked && packet->on_rtp)
        from[1].source.locked = false; /* another was locked in its place: of its RTCP, too */
    if (is_peer && locks)
        note_latches(packet);
    if ((is_peer || locks) && !packet->is_open)
        arrived->unproved++;
    if (!is_peer) {
        arrived->stranger = packet->address;
        arrived->has_stranger = true;
    }
    return is_peer;
}

/* Records the header, before the mask may change it. Not inlined: most streams have no tap. */
static __attribute__((noinline)) void record_packet(const struct packet *packet, bool is_peer) {
    struct stream *stream = packet->stream;
    enum tap_kind kind = packet->is_rtp ? TAP_RTP : TAP_RTCP;
    if (!packet->is_open || packet->is_oversized)
        kind = TAP_OTHER;
    if (!is_peer)
        kind = TAP_FOREIGN;
    const struct tap_place place = {
        .socket = packet->from->index,
        .is_sealed = stream->crypto[packet->leg] != NULL,
        .is_masked = stream->mask.on,
        .other = &packet->address,
    };
    struct tap_record record = tap_describe(&stream->mask.types, packet->bytes, packet->length, kind, &place,
                                            clock_wall_us());
    tap_add(stream->tap, &record);
}

/* Reads the header, and counts the packet as one of its stream. */
static void classify_packet(struct packet *packet) {
    struct stream *stream = packet->stream;
    packet->is_parsed = packet->is_rtp && rtp_parse(packet->bytes, packet->length, &packet->rtp);
    if (!packet->is_parsed || rtp_is_rtcp(&packet->rtp))
        return;
    bool is_audio = stream->mask.types.kinds[packet->rtp.type] != TYPE_EVENT;
    stream->slot->arrived[packet->leg].types[packet->rtp.type]++;
    quality_add(&stream->slot->arrivals[packet->leg], &packet->rtp, stream->clock, packet->now_ms, is_audio);
}

/* Keeps the presses that a packet begins. */
static void keep_keys(struct relay *relay, struct stream *stream, int64_t now_ms) {
    const struct decision *decision = relay->decision;
    for (int i = 0; i < decision->count; i++) {
        const struct pressed *pressed = &decision->pressed[i];
        if (!keys_put(stream->keys, pressed->code, decision->ssrc, pressed->timestamp, now_ms)) {
            relay_stop_capture(stream); /* a number with a hole is worse than none */
            relay_notify(relay, stream, NOTICE_OVERFLOW);
            return;
        }
    }
    if (now_ms + KEY_HOLD_MS < relay->due_ms)
        relay->due_ms = now_ms + KEY_HOLD_MS;
}

/* Whether it is an event for a customer whose side has agreed on none. */
static bool is_unwanted_event(const struct packet *packet) {
    const struct stream *stream = packet->stream;
    return stream->drops_agent_events && packet->is_parsed &&
           stream->mask.types.kinds[packet->rtp.type] == TYPE_EVENT;
}

/* Whether it has a key of the agent's telephone that is none of the customer's business. */
static bool is_agents_own_key(struct relay *relay, const struct packet *packet) {
    struct stream *stream = packet->stream;
    if (!stream->agent_keys.on || !packet->is_parsed)
        return false;
    enum type_kind kind = stream->mask.types.kinds[packet->rtp.type];
    if (kind != TYPE_EVENT && kind != TYPE_RED)
        return false;
    bool is_withheld = agent_events_withhold(&stream->agent_keys, &stream->mask.types, packet->bytes,
                                             &packet->rtp, stream->mask.on, packet->now_ms);
    relay_note_agent_keys(relay, stream, packet->now_ms);
    return is_withheld;
}

/* Has the mask decide. The agent's RTP passes as it came, but for keys. */
static void decide_packet(struct relay *relay, struct packet *packet) {
    struct mask *mask = &packet->stream->mask;
    struct decision *decision = relay->decision;
    const struct rtp *rtp = packet->is_parsed ? &packet->rtp : NULL;
    if (!packet->is_rtp)
        relay_correct_rtcp(packet->stream, packet->leg, packet->bytes, packet->length);
    if (is_caller_rtp(packet))
        mask_rtp(mask, packet->bytes, packet->length, rtp, packet->now_ms, decision);
    else if (packet->leg == CALLER)
        mask_caller_rtcp(mask, packet->bytes, packet->length, decision);
    else if (!packet->is_rtp)
        mask_agent_rtcp(mask, packet->bytes, packet->length, decision);
    else if (rtp == NULL && mask->types.are_known)
        decision->verdict = VERDICT_MALFORMED;
    else if (is_agents_own_key(relay, packet) || is_unwanted_event(packet))
        decision->verdict = VERDICT_WITHHOLD;
    if (decision->count > 0)
        relay_barge_in(relay, packet->stream, packet->now_ms);
    if (decision->count > 0 && packet->stream->capture)
        keep_keys(relay, packet->stream, packet->now_ms);
}

/* Asks the decoder process about audio that only it can decode. */
static void consult_decoder(struct relay *relay, struct packet *packet) {
    struct stream *stream = packet->stream;
    struct decision *decision = relay->decision;
    int64_t now_ms = packet->now_ms;
    if (decision->opens_window)
        decoder_event(relay, stream, now_ms);
    while (decision->filling.count > 0 && decoder_fill(relay, stream, &decision->filling, now_ms))
        relay_release(relay, stream, false); /* the event has shut all that waits: each leaves at once */
    if (decision->verdict == VERDICT_ASK &&
        !decoder_ask(relay, stream, decision->codec, decision->bytes, decision->length, now_ms))
        decision->verdict = VERDICT_WITHHOLD;
}

/* An event of the customer's has left for the agent. A press has many packets, and a number many
 * presses: one notice a second. */
static void note_passed_key(struct relay *relay, const struct packet *packet) {
    struct stream *stream = packet->stream;
    if (stream->mask.on || !is_caller_rtp(packet) || !packet->is_parsed ||
        stream->mask.types.kinds[packet->rtp.type] != TYPE_EVENT)
        return;
    if (stream->passed_ms != 0 && packet->now_ms - stream->passed_ms < PASSED_EVERY_MS)
        return;
    stream->passed_ms = packet->now_ms;
    relay_notify(relay, stream, NOTICE_PASSED);
}

static void carry_out(struct relay *relay, struct packet *packet) {
    struct stream *stream = packet->stream;
    const struct decision *decision = relay->decision;
    int other = !packet->leg;
    if (packet->leg == CALLER && stream->mask.on)
        tally_count_decided(&stream->slot->tally, decision, packet->length);
    switch (decision->verdict) {
    case VERDICT_MALFORMED:
        stream->slot->counters[packet->leg].malformed++;
        break;
    case VERDICT_WITHHOLD:
        stream->slot->counters[other].masked++;
        if (packet->leg == CALLER && !stream->mask.on && !stream->mask.drops_events)
            slot_note_tail(stream->slot, packet->now_ms);
        break;
    case VERDICT_FORWARD:
        if (is_caller_rtp(packet) && !relay_may_leave(relay, stream, decision->bytes, decision->length))
            break;
        if (relay_send(stream, socket_of(other, packet->is_rtp), decision->bytes, decision->length)) {
            stream->slot->counters[other].sent++;
            note_passed_key(relay, packet);
        }
        break;
    case VERDICT_HOLD:
    case VERDICT_ASK:
        break; /* it leaves by `relay_release` */
    }
    if (is_caller_rtp(packet) && stream->mask.hold != NULL)
        relay_release(relay, stream, false);
}

/* Wipes the packet, unless it is audio of a stream that is not masked. */
static void forget_packet(struct relay *relay, const struct packet *packet) {
    const struct stream *stream = packet->stream;
    struct decision *decision = relay->decision;
    enum type_kind kind = stream->mask.types.kinds[packet->bytes[1] & 0x7F];
    bool is_plain_audio = packet->is_rtp && decision->verdict == VERDICT_FORWARD && packet->length > 1 &&
                          !stream->mask.on && kind != TYPE_EVENT && kind != TYPE_RED &&
                          decision->bytes == packet->bytes;
    if (!is_plain_audio)
        explicit_bzero(packet->bytes, packet->length);
    decision_wipe(decision);
    relay->stack_is_secret |= stream->mask.on || stream->capture || stream->agent_keys.seen_ms != 0;
}

bool relay_one(struct relay *relay, struct endpoint *from, int64_t now_ms) {
    struct packet packet;
    packet.from = from;
    packet.stream = from->stream;
    packet.now_ms = now_ms;
    if (!receive_packet(relay, &packet))
        return false;
    struct counters *counters = &packet.stream->slot->counters[packet.leg];
    bool is_peer = admit_packet(&packet);
    if (packet.stream->tap != NULL)
        record_packet(&packet, is_peer);
    if (!is_peer) {
        counters->foreign_source++;
        explicit_bzero(packet.bytes, packet.length);
        return true;
    }
    counters->received++;
    decision_begin(relay->decision, packet.bytes, packet.length);
    if (packet.is_oversized || !packet.is_open) {
        relay->decision->verdict = VERDICT_MALFORMED;
    } else {
        classify_packet(&packet);
        decide_packet(relay, &packet);
        if (!packet.is_rtp && rtcp_reception(packet.bytes, packet.length, &counters->lost, &counters->jitter))
            counters->reports++;
        consult_decoder(relay, &packet);
    }
    carry_out(relay, &packet);
    forget_packet(relay, &packet);
    return true;
}
