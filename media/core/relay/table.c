/* The table of streams. */
#include "relay/table.h"

#include <stdlib.h>
#include <string.h>

struct stream **relay_find_stream(struct relay *relay, int64_t id) {
    struct stream **at = &relay->buckets[(uint64_t)id % BUCKETS];
    while (*at != NULL && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

void relay_stop_capture(struct stream *stream) {
    explicit_bzero(stream->keys, sizeof *stream->keys);
    stream->capture = stream->announced = false;
}

void relay_free_closed(struct relay *relay) {
    while (relay->closed != NULL) {
        struct stream *stream = relay->closed;
        relay->closed = stream->next;
        free(stream);
    }
    relay->closed_count = 0;
}
