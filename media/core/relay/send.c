/* Packets that leave: the last look, SRTP, the socket. */
#include "relay/send.h"

#include "mask/hold_output.h"
#include "mask/leaks.h"
#include "mask/mask.h"
#include "relay/clock.h"
#include "relay/decoder.h"
#include "relay/notices.h"
#include "relay/tap.h"

#include <sys/socket.h>

_Static_assert((int)HOLD_PACKET <= (int)BUFFER && (int)QUEUE_PACKET <= (int)BUFFER,
               "a packet that leaves fits its buffer");

bool relay_may_leave(struct relay *relay, struct stream *stream, const uint8_t *packet, size_t length) {
    if (mask_leaks(&stream->mask, packet, length)) {
        slot_note_shut(stream->slot);
        stream->slot->tally.alarms++;
        relay_notify(relay, stream, NOTICE_LEAKED);
    }
    if (stream->mask.shut) {
        stream->slot->counters[AGENT].masked++;
        tally_count_stopped(&stream->slot->tally, length);
    }
    return !stream->mask.shut;
}

/* Not inlined: most streams have no tap. */
static __attribute__((noinline)) struct tap_record
describe_departing(const struct stream *stream, int index, const uint8_t *packet, size_t length) {
    int leg = socket_leg(index);
    bool is_rtp = socket_is_rtp(index);
    int socket = socket_of(leg, is_rtp || stream->muxed[leg]);
    const struct tap_place place = {
        .socket = socket,
        .is_sent = true,
        .is_sealed = stream->crypto[leg] != NULL,
        .is_masked = stream->mask.on,
        .other = &stream->endpoints[socket].source.current,
    };
    return tap_describe(&stream->mask.types, packet, length, is_rtp ? TAP_RTP : TAP_RTCP, &place,
                        clock_wall_us());
}

static bool send_packet(struct stream *stream, int index, uint8_t *packet, size_t length) {
    int leg = socket_leg(index);
    bool is_rtp = socket_is_rtp(index);
    const struct endpoint *to = &stream->endpoints[socket_of(leg, is_rtp || stream->muxed[leg])];
    const struct sockaddr_storage *peer = &to->source.current;
    struct crypto *crypto = stream->crypto[leg];
    bool is_counted = leg == AGENT && is_rtp && stream->mask.on,
         is_event = is_counted && tally_sees_event(&stream->mask, packet, length);
    struct tap_record noted;
    bool is_tapped = stream->tap != NULL;
    if (is_tapped) /* in clear still */
        noted = describe_departing(stream, index, packet, length);
    if (!to->source.present || (crypto != NULL && !crypto_seal(crypto, is_rtp, packet, &length)))
        return false;
    bool is_sent = sendto(to->fd, packet, length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)peer,
                          source_length(peer)) >= 0;
    if (is_tapped && is_sent)
        tap_add(stream->tap, &noted);
    stream->slot->tally.left += is_sent && is_counted;
    stream->slot->tally.passed += is_sent && is_event;
    return is_sent;
}

/* Notes what leaves for a leg, so that what is played into it can follow. */
static void note_departed(struct stream *stream, int leg, const struct rtp *rtp) {
    enum type_kind kind = stream->mask.types.kinds[rtp->type];
    size_t octets = rtp->end - rtp->start;
    if (kind == TYPE_EVENT)
        return;
    stream->slot->departed[leg] = (struct departed){
        .used = true,
        .type = rtp->type,
        .seq = rtp->seq,
        .ssrc = rtp->ssrc,
        .timestamp = rtp->timestamp,
        .duration = payload_types_is_read(kind) ? (uint32_t)octets : PLAYER_OCTETS,
        .at_ms = clock_ms(),
    };
}

bool relay_send_own(struct stream *stream, int leg, uint8_t *packet, size_t length) {
    struct rtp rtp;
    if (rtp_parse(packet, length, &rtp))
        note_departed(stream, leg, &rtp);
    return send_packet(stream, socket_of(leg, true), packet, length);
}

bool relay_send(struct stream *stream, int index, uint8_t *packet, size_t length) {
    int leg = socket_leg(index);
    struct player *player = stream->players[leg];
    struct rtp rtp;
    /* Where no payload types are known it need not be RTP: a fax's is not. */
    bool is_audio = socket_is_rtp(index) && stream->mask.types.are_known;
    if (!is_audio || !rtp_parse(packet, length, &rtp) || rtp_is_rtcp(&rtp))
        return send_packet(stream, index, packet, length);
    enum type_kind kind = stream->mask.types.kinds[rtp.type];
    int coding = payload_types_is_read(kind) ? (int)payload_types_coding(kind) : -1;
    if (player != NULL && !player_admit(player, packet, length, coding, kind == TYPE_EVENT, clock_ms()))
        return false;
    note_departed(stream, leg, &rtp);
    return send_packet(stream, index, packet, length);
}

static void send_to_agent(struct stream *stream, uint8_t *packet, size_t length) {
    if (relay_send(stream, AGENT_RTP, packet, length))
        stream->slot->counters[AGENT].sent++;
}

static int64_t earlier_of(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t relay_release_due_ms(const struct stream *stream) {
    int64_t hold_ms = stream->mask.hold != NULL ? hold_due_ms(stream->mask.hold) : INT64_MAX;
    int64_t queue_ms = stream->queue != NULL ? queue_due_ms(stream->queue) : INT64_MAX;
    return earlier_of(earlier_of(hold_ms, queue_ms), event_sender_due_ms(&stream->mask.sender));
}

void relay_release(struct relay *relay, struct stream *stream, bool all_of_it) {
    struct hold *hold = stream->mask.hold;
    uint8_t *out = relay->buffer.bytes + SPACING;
    enum codec codec;
    relay->stack_is_secret |= stream->mask.on;
    for (size_t length; hold != NULL && (length = hold_next(hold, all_of_it, out)) > 0;)
        if (relay_may_leave(relay, stream, out, length))
            send_to_agent(stream, out, length);
    for (size_t length;
         stream->queue != NULL && (length = queue_next(stream->queue, clock_ms(), out, &codec)) > 0;)
        if (relay_may_leave(relay, stream, out, length)) {
            decoder_left(relay, stream, codec, out, length);
            send_to_agent(stream, out, length);
        }
    for (size_t length; (length = mask_next_sent(&stream->mask, clock_ms(), out)) > 0;)
        send_to_agent(stream, out, length);
    relay->due_ms = earlier_of(relay->due_ms, relay_release_due_ms(stream));
}
