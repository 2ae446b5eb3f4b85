/* Packets that wait for somebody else to listen to them, and what stands in their place: _queue.c, _silence.c. */
#ifndef TONEWALL_QUEUE_H
#define TONEWALL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As in media/decoded.py. */
enum codec { CODEC_NONE, CODEC_OPUS, CODEC_G729, CODEC_GSM, CODEC_AMR, CODEC_AMR_OCTETS, CODEC_AMR_WB, CODEC_AMR_WB_OCTETS, CODECS };
enum { QUEUE_PLACES = 24, QUEUE_MOST = 1400, QUEUE_PATIENCE_MS = 200 };

/* --- _silence.c ---------------------------------------------------------------------------------------------------------- */

/* A payload of as many frames as `payload` has, of which none says anything; 0: there is none, nothing leaves. Frames whose length a
 * sender may choose are counted, not read: what leaves depends on nothing that was said. At most `size` + 2 bytes. */
size_t silence(enum codec codec, const uint8_t *payload, size_t size, uint8_t *out);

/* --- _queue.c (media/decoded.py) ----------------------------------------------------------------------------------------- */

enum answer { NOT_YET, OPEN, SHUT };

struct waiting {
    enum answer answer;
    enum codec codec;
    uint32_t serial;
    int64_t came_ms;
    size_t length;
    uint8_t packet[QUEUE_MOST + 2]; /* a fixed header and a payload */
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
/* The next packet whose answer has come, or that has waited too long, into `out` (QUEUE_MOST + 2 bytes); 0: none. */
size_t queue_next(struct queue *queue, int64_t now_ms, uint8_t *out);
int64_t queue_due_ms(const struct queue *queue); /* INT64_MAX: nothing waits */

#endif
