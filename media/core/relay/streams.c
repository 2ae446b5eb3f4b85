/* Opens and closes streams, and has epoll watch their sockets. */
#include "relay/streams.h"

#include "relay/decoder.h"
#include "relay/eventfd.h"
#include "relay/notices.h"
#include "relay/playing.h"
#include "relay/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

int relay_open_stream(struct relay *relay, const struct command *command) {
    struct stream **at = relay_find_stream(relay, command->stream);
    if (*at != NULL)
        return -EEXIST;
    struct stream *stream = calloc(1, sizeof *stream);
    struct stream_keys *keys = stream == NULL ? NULL : pool_borrow(&relay->keys);
    if (keys == NULL) {
        free(stream);
        return -ENOMEM;
    }
    stream->id = command->stream;
    stream->keys = &keys->customer;
    stream->agent_keys.code = &keys->agent;
    stream->mask.presses.codes = keys->customer.codes;
    int error = 0;
    for (int i = 0; i < SOCKETS; i++) {
        stream->endpoints[i] =
            (struct endpoint){.stream = stream, .index = i, .fd = command->fds[i], .set = relay->epoll};
        struct epoll_event interest = {.events = EPOLLIN, .data.ptr = &stream->endpoints[i]};
        if (error == 0 && epoll_ctl(relay->epoll, EPOLL_CTL_ADD, command->fds[i], &interest) != 0) {
            error = -errno;
            for (int j = 0; j < i; j++)
                epoll_ctl(relay->epoll, EPOLL_CTL_DEL, command->fds[j], NULL);
        }
    }
    if (error != 0) { /* the descriptors stay the caller's */
        pool_give_back(&relay->keys, keys);
        free(stream);
        return error;
    }
    *at = stream;
    return 0;
}

void relay_close_stream(struct relay *relay, struct stream **at) {
    struct stream *stream = *at;
    *at = stream->next;
    for (int i = 0; i < SOCKETS; i++) {
        /* Closing alone is not enough: a child between fork and exec still has the socket. */
        epoll_ctl(stream->endpoints[i].set, EPOLL_CTL_DEL, stream->endpoints[i].fd, NULL);
        close(stream->endpoints[i].fd);
    }
    relay_stop_capture(stream);
    relay_drop_players(relay, stream);
    free(stream->tap);
    pool_give_back(&relay->keys, stream->keys);
    if (stream->mask.hold != NULL)
        pool_give_back(&relay->holds, stream->mask.hold);
    decoder_forget(relay, stream);
    for (int leg = CALLER; leg <= AGENT; leg++) {
        crypto_free(stream->crypto[leg]);
        crypto_free(stream->paused[leg]);
    }
    relay_forget_notices(relay, stream);
    explicit_bzero(stream, sizeof *stream);
    for (int i = 0; i < SOCKETS; i++)
        stream->endpoints[i].fd = -1;
    stream->next = relay->closed;
    relay->closed = stream;
    if (++relay->closed_count == CLOSED_MAX)
        eventfd_signal(relay->wake_fd); /* where no packet wakes the thread */
}

/* Masked audio is held anyway, so its sockets may be looked at more rarely. */
void relay_choose_set(struct relay *relay, struct stream *stream) {
    int set = stream->mask.on && relay->masked_coalescing_us > 0 ? relay->masked : relay->epoll;
    for (int i = 0; i < SOCKETS; i++) {
        struct endpoint *endpoint = &stream->endpoints[i];
        struct epoll_event interest = {.events = EPOLLIN, .data.ptr = endpoint};
        if (endpoint->set == set || epoll_ctl(set, EPOLL_CTL_ADD, endpoint->fd, &interest) != 0)
            continue; /* without memory it stays in its set, and its packets are read there */
        epoll_ctl(endpoint->set, EPOLL_CTL_DEL, endpoint->fd, NULL);
        endpoint->set = set;
    }
}
