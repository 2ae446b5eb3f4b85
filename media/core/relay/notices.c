/* Notices to the other threads: a list of the streams that have any. */
#include "relay/notices.h"

#include "relay/eventfd.h"

#include <string.h>

void relay_notify(struct relay *relay, struct stream *stream, enum notice_kind kind) {
    pthread_mutex_lock(&relay->notices_lock);
    stream->noticed[kind] = true;
    if (!stream->listed) {
        stream->listed = true;
        stream->next_noticed = NULL;
        stream->previous_noticed = relay->last_noticed;
        if (relay->last_noticed != NULL)
            relay->last_noticed->next_noticed = stream;
        else
            relay->first_noticed = stream;
        relay->last_noticed = stream;
    }
    eventfd_signal(relay->notice_fd);
    pthread_mutex_unlock(&relay->notices_lock);
}

void relay_note_agent_keys(struct relay *relay, struct stream *stream, int64_t now_ms) {
    int64_t due_ms = agent_keys_expire(&stream->agent_keys, now_ms);
    if (due_ms < relay->due_ms)
        relay->due_ms = due_ms;
    if (agent_keys_complete(&stream->agent_keys))
        relay_notify(relay, stream, NOTICE_CODE);
}

/* With `notices_lock` held. */
static void unlist_stream(struct relay *relay, struct stream *stream) {
    if (!stream->listed)
        return;
    if (stream->previous_noticed != NULL)
        stream->previous_noticed->next_noticed = stream->next_noticed;
    else
        relay->first_noticed = stream->next_noticed;
    if (stream->next_noticed != NULL)
        stream->next_noticed->previous_noticed = stream->previous_noticed;
    else
        relay->last_noticed = stream->previous_noticed;
    stream->listed = false;
    memset(stream->noticed, 0, sizeof stream->noticed);
}

int relay_take_notices(struct relay *relay, struct notice *out, int room) {
    int moved = 0;
    pthread_mutex_lock(&relay->notices_lock);
    eventfd_drain(relay->notice_fd);
    while (relay->first_noticed != NULL && moved + NOTICE_KINDS <= room) {
        struct stream *stream = relay->first_noticed;
        for (int kind = NOTICE_KEYED; kind < NOTICE_KINDS; kind++)
            if (stream->noticed[kind])
                out[moved++] = (struct notice){stream->id, kind};
        unlist_stream(relay, stream);
    }
    if (relay->first_noticed != NULL)
        eventfd_signal(relay->notice_fd);
    pthread_mutex_unlock(&relay->notices_lock);
    return moved;
}

void relay_forget_notices(struct relay *relay, struct stream *stream) {
    pthread_mutex_lock(&relay->notices_lock);
    unlist_stream(relay, stream);
    pthread_mutex_unlock(&relay->notices_lock);
}

void relay_forget_capture_notices(struct relay *relay, struct stream *stream) {
    pthread_mutex_lock(&relay->notices_lock);
    stream->noticed[NOTICE_KEYED] = stream->noticed[NOTICE_OVERFLOW] = false;
    pthread_mutex_unlock(&relay->notices_lock);
}
