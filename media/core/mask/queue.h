/* Packets in codecs that the core does not decode, while the decoder process listens to them. */
#ifndef TONEWALL_MASK_QUEUE_H
#define TONEWALL_MASK_QUEUE_H

#include "audio/codec.h"
#include "rtp/rtp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* QUEUE_MAX: octets of a packet. QUEUE_PACKET: silence of Opus may be an octet longer than the
 * packet in whose place it leaves. */
enum { QUEUE_PLACES = 24, QUEUE_MAX = 1400, QUEUE_TIMEOUT_MS = 200, QUEUE_PACKET = QUEUE_MAX + 1 };

enum answer { ANSWER_NONE, ANSWER_OPEN, ANSWER_SHUT };

struct waiting {
    enum answer answer;
    enum codec codec;
    uint32_t serial;
    int64_t came_ms;
    size_t length;
    uint8_t packet[QUEUE_MAX]; /* a fixed header and a payload */
};

/* Lives in secret memory only. All zeros: nothing waits. */
struct queue {
    unsigned first, count;
    bool has_newest;
    uint16_t newest;
    struct waiting places[QUEUE_PLACES];
};

/* `serial`: by which its answer comes, never twice the same, so that no late answer fits another
 * packet. False: the packet has no room, and does not leave. */
bool queue_put(struct queue *queue, enum codec codec, const uint8_t *packet, size_t length, int64_t now_ms,
               uint32_t serial);
/* Whether this sequence number follows the newest that came; else what is between may be repeated
 * in the packet. */
bool queue_follows(struct queue *queue, uint16_t seq);
/* `open`: the packet leaves as it came; else as silence. */
void queue_answer(struct queue *queue, uint32_t serial, bool open);
/* All that waits leaves as silence. */
void queue_shut(struct queue *queue);
/* Writes the next packet whose answer has come, or that has waited QUEUE_TIMEOUT_MS. Returns its
 * octets; 0: there is none. */
size_t queue_next(struct queue *queue, int64_t now_ms, uint8_t out[QUEUE_PACKET], enum codec *codec);
/* When the next packet leaves without an answer; INT64_MAX: nothing waits. */
int64_t queue_due_ms(const struct queue *queue);

#endif
