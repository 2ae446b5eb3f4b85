/* What a capture file may have of a packet: a record of its header, with no room for its payload.
 *
 * Rule 1: of a payload a record has the length alone, and that only of a codec whose packets are
 *         all of one length: of others the length depends on what is spoken.
 * Rule 2: of a stream that is masked a record has no payload type, marker, rtp_timestamp or length,
 *         and its time is rounded down to the second: a telephone-event is a packet among others.
 * Rule 3: only what parses as RTP of a stream with RTP is read as RTP: octets that are no header
 *         are never recorded as one. */
#ifndef TONEWALL_RELAY_TAP_H
#define TONEWALL_RELAY_TAP_H

#include "constants.h"
#include "mask/payload_types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Records that wait to be read: more than five seconds of a call, on both legs and both ways. */
enum { TAP_RECORDS = 2048 };

enum tap_kind {
    TAP_OTHER, /* neither, or it does not authenticate */
    TAP_RTP,
    TAP_RTCP,
    TAP_FOREIGN /* not from the leg's peer: nothing of it is recorded but its address */
};

enum { TAP_SENT = 1, TAP_MARKER = 2, TAP_MASKED = 4, TAP_SEALED = 8 };

struct tap_record {
    int64_t at_us; /* microseconds since the epoch */
    uint32_t timestamp, ssrc;
    uint16_t seq, length, port; /* `length` of the payload; `port` of the other end */
    uint8_t kind, type; /* `type` of RTP, or of the first packet of an RTCP compound */
    uint8_t flags, socket; /* `socket` of ours: see `socket_of` */
    uint8_t host[16]; /* of the other end: IPv6, or IPv4 as RFC 4291 section 2.5.5.2 maps it */
    uint8_t unused[6];
};
_Static_assert(sizeof(struct tap_record) == 48, "as media/tapped.py reads it");

/* The records of one stream. */
struct tap {
    uint64_t dropped; /* since the last reading: there was no room */
    unsigned first, count;
    struct tap_record records[TAP_RECORDS];
};

/* Where and how a packet passes. */
struct tap_place {
    int socket;
    bool is_sent, is_sealed, is_masked;
    const struct sockaddr_storage *other;
};

/* The record of a packet in clear; `kind` TAP_RTP or TAP_RTCP: as it parses; else nothing of it is
 * looked into. */
struct tap_record tap_describe(const struct payload_types *types, const uint8_t *packet, size_t length,
                               enum tap_kind kind, const struct tap_place *place, int64_t at_us);
/* Keeps a record, or counts it where there is no room. */
void tap_add(struct tap *tap, const struct tap_record *record);
/* Moves the oldest records, `room` at most. Returns how many; `dropped`: those that had no room
 * since the last time. */
size_t tap_take(struct tap *tap, struct tap_record *out, size_t room, uint64_t *dropped);

/* Gives the numbers that media/tapped.py has, too. */
void tap_constants(const struct constant_sink *sink);

#endif
