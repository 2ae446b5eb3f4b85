/* What a capture file may have of a packet. */
#include "relay/tap.h"

#include "rtp/rtcp.h"
#include "rtp/rtp.h"

#include <netinet/in.h>
#include <string.h>

enum { SECOND_US = 1000000 };

static void put_address(struct tap_record *record, const struct sockaddr_storage *other) {
    if (other->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)other;
        memcpy(record->host, &v6->sin6_addr, sizeof record->host);
        record->port = ntohs(v6->sin6_port);
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)other;
        memset(record->host + 10, 0xFF, 2);
        memcpy(record->host + 12, &v4->sin_addr, 4);
        record->port = ntohs(v4->sin_port);
    }
}

static void put_rtp(struct tap_record *record, const struct rtp *rtp, const struct payload_types *types,
                    bool is_masked) {
    record->kind = TAP_RTP;
    record->seq = rtp->seq;
    record->ssrc = rtp->ssrc;
    if (is_masked)
        return;
    record->type = rtp->type;
    record->timestamp = rtp->timestamp;
    record->flags |= rtp->marker ? TAP_MARKER : 0;
    if (payload_types_is_read(types->kinds[rtp->type]))
        record->length = (uint16_t)(rtp->end - rtp->start);
}

struct tap_record tap_describe(const struct payload_types *types, const uint8_t *packet, size_t length,
                               enum tap_kind kind, const struct tap_place *place, int64_t at_us) {
    struct tap_record record;
    struct rtp rtp;
    bool is_masked = place->is_masked;
    memset(&record, 0, sizeof record);
    record.at_us = is_masked ? at_us - at_us % SECOND_US : at_us;
    record.kind = kind == TAP_FOREIGN ? TAP_FOREIGN : TAP_OTHER;
    record.socket = (uint8_t)place->socket;
    record.flags = (uint8_t)((place->is_sent ? TAP_SENT : 0) | (place->is_sealed ? TAP_SEALED : 0) |
                             (is_masked ? TAP_MASKED : 0));
    put_address(&record, place->other);
    if (kind != TAP_RTP && kind != TAP_RTCP)
        return record;
    if (kind == TAP_RTCP && rtcp_is(packet, length)) {
        record.kind = TAP_RTCP;
        record.type = is_masked ? 0 : packet[1];
    } else if (kind == TAP_RTP && types->are_known && rtp_parse(packet, length, &rtp) && !rtp_is_rtcp(&rtp)) {
        put_rtp(&record, &rtp, types, is_masked);
    }
    return record;
}

void tap_add(struct tap *tap, const struct tap_record *record) {
    if (tap->count == TAP_RECORDS)
        tap->dropped++;
    else
        tap->records[(tap->first + tap->count++) % TAP_RECORDS] = *record;
}

size_t tap_take(struct tap *tap, struct tap_record *out, size_t room, uint64_t *dropped) {
    size_t count = tap->count < room ? tap->count : room;
    for (size_t i = 0; i < count; i++)
        out[i] = tap->records[(tap->first + i) % TAP_RECORDS];
    tap->first = (unsigned)((tap->first + count) % TAP_RECORDS);
    tap->count -= (unsigned)count;
    *dropped = tap->dropped;
    tap->dropped = 0;
    return count;
}

void tap_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, TAP_RECORDS, TAP_OTHER, TAP_RTP, TAP_RTCP, TAP_FOREIGN, TAP_SENT, TAP_MARKER, TAP_MASKED,
              TAP_SEALED);
}
