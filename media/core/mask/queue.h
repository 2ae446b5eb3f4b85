/* Packets that wait for somebody else to listen to them, and what stands in their place: mask/queue.c, audio/silence.c, mask/gap.c. */
#ifndef TONEWALL_QUEUE_H
#define TONEWALL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of media/codecs.py. */
enum codec { CODEC_NONE, CODEC_OPUS, CODEC_G729, CODEC_GSM, CODEC_AMR, CODEC_AMR_OCTETS, CODEC_AMR_WB, CODEC_AMR_WB_OCTETS, CODECS };
enum { QUEUE_PLACES = 24, QUEUE_MOST = 1400, QUEUE_PATIENCE_MS = 200, QUEUE_HEADER = 12 }; /* QUEUE_MOST: bytes of a packet */
enum { QUEUE_PACKET = QUEUE_MOST + 1 }; /* silence of Opus may be a byte longer than the packet in whose place it leaves */

/* --- audio/silence.c (media/codecs.py) --------------------------------------------------------------------------------------- */

/* How long a payload is, in units of its rtp_timestamp; 0: nothing could stand in its place. Frames are counted, not read: what
 * leaves depends on nothing that was said. */
uint32_t lasts(enum codec codec, const uint8_t *payload, size_t size);
/* A payload that says nothing for so long, or as much of it as frames last. No longer than what lasted so long, or 2 bytes. 0:
 * there is none, or it has no room. */
size_t silence(enum codec codec, uint32_t ticks, uint8_t *out, size_t room);
uint32_t silence_fits(enum codec codec, uint32_t ticks); /* how much of it that is */
uint32_t codec_clock(enum codec codec); /* units a second */

/* --- mask/gap.c (media/reference/gaps.py) ---------------------------------------------------------------------------------------------- */

enum { MOST_FILLINGS = 30 };

struct gap {
    bool bound, after_event;
    uint8_t type;
    enum codec codec;
    uint32_t ssrc, next, step; /* the rtp_timestamp that would follow; how long the newest packet was */
    int64_t came_ms, passed_ms;
    int64_t may_fill; /* beside one packet: the time that has passed, less what was filled */
};

struct filling { /* packets of ours that leave one after another, all as long as the newest of the customer's but the last */
    int count;
    uint16_t seq;
    uint32_t last;
    struct gap of; /* as it was before them */
};

/* False: it comes late, is of a time that was filled, or of another SSRC while this one is heard. */
bool gap_takes(const struct gap *gap, uint32_t ssrc, uint32_t timestamp, int64_t now_ms);
void gap_let_pass(struct gap *gap, int64_t now_ms);
uint32_t gap_lacks(const struct gap *gap, uint32_t timestamp, bool event); /* how long the next filling is; 0: nothing is lacking */
void gap_fill(struct gap *gap, struct filling *filling, uint32_t ticks, uint16_t seq);
size_t filling_next(struct filling *filling, uint8_t out[QUEUE_PACKET]); /* the next packet; 0: there is none */

/* --- mask/queue.c (media/decoder/messages.py) ----------------------------------------------------------------------------------------- */

enum answer { NOT_YET, OPEN, SHUT };

struct waiting {
    enum answer answer;
    enum codec codec;
    uint32_t serial;
    int64_t came_ms;
    size_t length;
    uint8_t packet[QUEUE_MOST]; /* a fixed header and a payload */
};

struct queue { /* lives in secret memory only */
    unsigned first, count;
    bool has_newest;
    uint16_t newest;
    struct waiting places[QUEUE_PLACES];
};

/* `serial`: by which its answer is told, never twice the same, so that no late answer fits another packet. False: it does not
 * wait, and does not leave. */
bool queue_put(struct queue *queue, enum codec codec, const uint8_t *packet, size_t length, int64_t now_ms, uint32_t serial);
/* Whether this sequence number follows the newest that came: else what is between may be repeated in the packet. */
bool queue_follows(struct queue *queue, uint16_t seq);
void queue_answer(struct queue *queue, uint32_t serial, bool open);
void queue_shut(struct queue *queue); /* all that waits */
/* The next packet whose answer has come, or that has waited too long, into `out`; 0: none. */
size_t queue_next(struct queue *queue, int64_t now_ms, uint8_t out[QUEUE_PACKET], enum codec *codec);
int64_t queue_due_ms(const struct queue *queue); /* INT64_MAX: nothing waits */

#endif
