/* Packets that the core cannot look into wait, in their order, until the decoder process has said what is to become of them.
 *
 * Rule 1: what nobody answered for in time leaves as silence, and so does what came while there was no room to ask.
 * Rule 2: nothing overtakes: sequence numbers and rtp_timestamps go on as if all had left at once. */
#include "mask/queue.h"

#include <string.h>

static struct waiting *place(struct queue *queue, unsigned at) { return &queue->places[(queue->first + at) % QUEUE_PLACES]; }

bool queue_put(struct queue *queue, enum codec codec, const uint8_t *packet, size_t length, int64_t now_ms, uint32_t serial) {
    if (queue->count == QUEUE_PLACES || length > QUEUE_MOST || length < QUEUE_HEADER)
        return false;
    struct waiting *waiting = place(queue, queue->count++);
    waiting->serial = serial;
    waiting->answer = NOT_YET;
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
        struct waiting *waiting = place(queue, i);
        if (waiting->serial == serial && waiting->answer == NOT_YET)
            waiting->answer = open ? OPEN : SHUT;
    }
}

void queue_shut(struct queue *queue) {
    for (unsigned i = 0; i < queue->count; i++)
        place(queue, i)->answer = SHUT;
}

size_t queue_next(struct queue *queue, int64_t now_ms, uint8_t out[QUEUE_PACKET], enum codec *codec) {
    while (queue->count > 0) {
        struct waiting *waiting = place(queue, 0);
        if (waiting->answer == NOT_YET && now_ms - waiting->came_ms < QUEUE_PATIENCE_MS)
            return 0;
        size_t size = waiting->length - QUEUE_HEADER;
        memcpy(out, waiting->packet, QUEUE_HEADER);
        *codec = waiting->codec;
        if (waiting->answer == OPEN)
            memcpy(out + QUEUE_HEADER, waiting->packet + QUEUE_HEADER, size);
        else
            size = silence(*codec, lasts(*codec, waiting->packet + QUEUE_HEADER, size), out + QUEUE_HEADER,
                           QUEUE_PACKET - QUEUE_HEADER);
        explicit_bzero(waiting, sizeof *waiting);
        queue->first = (queue->first + 1) % QUEUE_PLACES;
        queue->count--;
        if (size > 0)
            return QUEUE_HEADER + size;
    }
    return 0;
}

int64_t queue_due_ms(const struct queue *queue) {
    return queue->count == 0 ? INT64_MAX : queue->places[queue->first].came_ms + QUEUE_PATIENCE_MS;
}
