/* Packets that the core does not decode wait, in their order, for the decoder process's answer.
 *
 * Rule 1: a packet without an answer in time leaves as silence, and so does one about which the
 *         process could not be asked.
 * Rule 2: nothing overtakes: sequence numbers and rtp_timestamps go on as if all had left at
 *         once. */
#include "mask/queue.h"

#include <string.h>

static struct waiting *queue_place(struct queue *queue, unsigned at) {
    return &queue->places[(queue->first + at) % QUEUE_PLACES];
}

bool queue_put(struct queue *queue, enum codec codec, const uint8_t *packet, size_t length, int64_t now_ms,
               uint32_t serial) {
    if (queue->count == QUEUE_PLACES || length > QUEUE_MAX || length < RTP_HEADER)
        return false;
    struct waiting *waiting = queue_place(queue, queue->count++);
    waiting->serial = serial;
    waiting->answer = ANSWER_NONE;
    waiting->codec = codec;
    waiting->came_ms = now_ms;
    waiting->length = length;
    memcpy(waiting->packet, packet, length);
    return true;
}

bool queue_follows(struct queue *queue, uint16_t seq) {
    bool follows = queue->has_newest && seq == (uint16_t)(queue->newest + 1);
    queue->has_newest = true;
    queue->newest = seq;
    return follows;
}

void queue_answer(struct queue *queue, uint32_t serial, bool open) {
    for (unsigned i = 0; i < queue->count; i++) {
        struct waiting *waiting = queue_place(queue, i);
        if (waiting->serial == serial && waiting->answer == ANSWER_NONE)
            waiting->answer = open ? ANSWER_OPEN : ANSWER_SHUT;
    }
}

void queue_shut(struct queue *queue) {
    for (unsigned i = 0; i < queue->count; i++)
        queue_place(queue, i)->answer = ANSWER_SHUT;
}

size_t queue_next(struct queue *queue, int64_t now_ms, uint8_t out[QUEUE_PACKET], enum codec *codec) {
    while (queue->count > 0) {
        struct waiting *waiting = queue_place(queue, 0);
        if (waiting->answer == ANSWER_NONE && now_ms - waiting->came_ms < QUEUE_TIMEOUT_MS)
            return 0;
        size_t size = waiting->length - RTP_HEADER;
        memcpy(out, waiting->packet, RTP_HEADER);
        *codec = waiting->codec;
        if (waiting->answer == ANSWER_OPEN)
            memcpy(out + RTP_HEADER, waiting->packet + RTP_HEADER, size);
        else
            size = codec_silence(*codec, codec_duration(*codec, waiting->packet + RTP_HEADER, size),
                                 out + RTP_HEADER, QUEUE_PACKET - RTP_HEADER);
        explicit_bzero(waiting, sizeof *waiting);
        queue->first = (queue->first + 1) % QUEUE_PLACES;
        queue->count--;
        if (size > 0)
            return RTP_HEADER + size;
    }
    return 0;
}

int64_t queue_due_ms(const struct queue *queue) {
    return queue->count == 0 ? INT64_MAX : queue->places[queue->first].came_ms + QUEUE_TIMEOUT_MS;
}
