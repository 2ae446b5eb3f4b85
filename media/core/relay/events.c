/* What the media thread tells the others: one place for each stream and kind, so nothing is ever lost for want of room. */
#include "relay/relay.h"

#include <string.h>
#include <unistd.h>

void ring(int fd) {
    uint64_t one = 1;
    ssize_t ignored = write(fd, &one, sizeof one); /* fails only if it is readable already */
    (void)ignored;
}

void hush(int fd) {
    uint64_t count;
    ssize_t ignored = read(fd, &count, sizeof count);
    (void)ignored;
}

void report(struct relay *relay, struct stream *stream, enum event_kind kind) {
    pthread_mutex_lock(&relay->events_lock);
    stream->waiting[kind] = true;
    if (!stream->listed) {
        stream->listed = true;
        stream->next_waiting = NULL;
        stream->previous_waiting = relay->last_waiting;
        if (relay->last_waiting != NULL)
            relay->last_waiting->next_waiting = stream;
        else
            relay->first_waiting = stream;
        relay->last_waiting = stream;
    }
    ring(relay->news);
    pthread_mutex_unlock(&relay->events_lock);
}

static void unlist(struct relay *relay, struct stream *stream) { /* with `events_lock` */
    if (!stream->listed)
        return;
    if (stream->previous_waiting != NULL)
        stream->previous_waiting->next_waiting = stream->next_waiting;
    else
        relay->first_waiting = stream->next_waiting;
    if (stream->next_waiting != NULL)
        stream->next_waiting->previous_waiting = stream->previous_waiting;
    else
        relay->last_waiting = stream->previous_waiting;
    stream->listed = false;
    memset(stream->waiting, 0, sizeof stream->waiting);
}

int relay_take_events(struct relay *relay, struct event *out, int room) {
    int taken = 0;
    pthread_mutex_lock(&relay->events_lock);
    hush(relay->news);
    while (relay->first_waiting != NULL && taken + EVENT_KINDS <= room) {
        struct stream *stream = relay->first_waiting;
        for (int kind = KEYED; kind < EVENT_KINDS; kind++)
            if (stream->waiting[kind])
                out[taken++] = (struct event){stream->id, kind};
        unlist(relay, stream);
    }
    if (relay->first_waiting != NULL)
        ring(relay->news);
    pthread_mutex_unlock(&relay->events_lock);
    return taken;
}

void forget_news(struct relay *relay, struct stream *stream) {
    pthread_mutex_lock(&relay->events_lock);
    unlist(relay, stream);
    pthread_mutex_unlock(&relay->events_lock);
}

void forget_capture(struct relay *relay, struct stream *stream) {
    pthread_mutex_lock(&relay->events_lock);
    stream->waiting[KEYED] = stream->waiting[OVERFLOW] = false;
    pthread_mutex_unlock(&relay->events_lock);
}
