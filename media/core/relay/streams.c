/* Opens and closes streams, and has epoll watch their sockets. */
#include "relay/streams.h"

#include "relay/clock.h"
#include "relay/decoder.h"
#include "relay/eventfd.h"
#include "relay/notices.h"
#include "relay/playing.h"
#include "relay/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAITING_MAX = 4096 }; /* packets of one socket, more than its buffer holds */

/* Where its packets are looked for. Masked audio is held anyway, so its sockets may be looked at
 * more rarely. */
static int set_of(const struct relay *relay, const struct stream *stream) {
    return stream->mask.on && relay->masked_coalescing_us > 0 ? relay->masked : relay->epoll;
}

/* Has the thread read its packets. 0 or -errno: it reads none. */
static int watch_sockets(struct relay *relay, struct stream *stream) {
    int set = set_of(relay, stream);
    for (int i = 0; i < SOCKETS; i++) {
        struct endpoint *endpoint = &stream->endpoints[i];
        struct epoll_event interest = {.events = EPOLLIN, .data.ptr = endpoint};
        if (epoll_ctl(set, EPOLL_CTL_ADD, endpoint->fd, &interest) != 0) {
            int error = -errno;
            for (int j = 0; j < i; j++) {
                epoll_ctl(set, EPOLL_CTL_DEL, stream->endpoints[j].fd, NULL);
                stream->endpoints[j].set = -1;
            }
            return error;
        }
        endpoint->set = set;
    }
    stream->is_resumed = true;
    return 0;
}

/* A stream that is in no table and in no set. NULL: there is no memory. */
static struct stream *new_stream(struct relay *relay, const struct command *command) {
    struct stream *stream = calloc(1, sizeof *stream);
    struct stream_keys *keys = stream == NULL ? NULL : pool_borrow(&relay->keys);
    if (keys == NULL) {
        free(stream);
        return NULL;
    }
    stream->id = command->stream;
    stream->slot = command->slot;
    stream->keys = &keys->customer;
    stream->agent_keys.code = &keys->agent;
    stream->mask.presses.codes = keys->customer.codes;
    for (int i = 0; i < SOCKETS; i++)
        stream->endpoints[i] =
            (struct endpoint){.stream = stream, .index = i, .fd = command->fds[i], .set = -1};
    return stream;
}

/* One that is in no table; its descriptors and its slot stay the caller's. */
static void drop_stream(struct relay *relay, struct stream *stream) {
    for (int leg = CALLER; leg <= AGENT; leg++)
        free(stream->players[leg]);
    pool_give_back(&relay->keys, stream->keys);
    free(stream);
}

int relay_open_stream(struct relay *relay, const struct command *command) {
    struct stream **at = relay_find_stream(relay, command->stream);
    if (*at != NULL)
        return -EEXIST;
    struct stream *stream = new_stream(relay, command);
    if (stream == NULL)
        return -ENOMEM;
    int error = watch_sockets(relay, stream);
    if (error != 0) {
        drop_stream(relay, stream);
        return error;
    }
    slot_begin(stream->slot);
    sequence_keep(&stream->mask.tracks, &stream->slot->tracks);
    *at = stream;
    return 0;
}

int relay_adopt_stream(struct relay *relay, const struct command *command) {
    struct stream **at = relay_find_stream(relay, command->stream);
    if (*at != NULL)
        return -EEXIST;
    for (int i = 0; i < SOCKETS; i++)
        if (fcntl(command->fds[i], F_GETFD) < 0)
            return -errno;
    struct stream *stream = new_stream(relay, command);
    if (stream == NULL)
        return -ENOMEM;
    int64_t now_ms = clock_ms();
    slot_succeed(stream->slot);
    if (!relay_keep_players(stream, now_ms)) {
        drop_stream(relay, stream);
        return -ENOMEM;
    }
    sequence_keep(&stream->mask.tracks, &stream->slot->tracks);
    if (slot_is_masked(stream->slot, now_ms)) { /* from now on, with or without a hold */
        stream->mask.on = true;
        stream->mask.shut = slot_is_shut(stream->slot);
        if (!tally_goes_on(&stream->slot->tally))
            tally_begin(&stream->slot->tally, clock_wall_ms());
    }
    *at = stream;
    return stream->mask.on;
}

/* Throws away what has waited in a socket while nobody read it: a burst of old audio is worse than
 * a gap. */
static void drop_waiting(int socket) {
    for (int left = WAITING_MAX; left > 0; left--)
        if (recv(socket, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) < 0 && (errno == EAGAIN || errno == EBADF))
            return;
}

int relay_resume_stream(struct relay *relay, struct stream *stream) {
    if (stream->is_resumed)
        return 0;
    for (int i = 0; i < SOCKETS; i++) {
        drop_waiting(stream->endpoints[i].fd);
        latch_note(&stream->slot->latches[i], &stream->endpoints[i].source);
    }
    return watch_sockets(relay, stream);
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
    slot_wipe(stream->slot);
    slot_unmap(stream->slot);
    explicit_bzero(stream, sizeof *stream);
    for (int i = 0; i < SOCKETS; i++)
        stream->endpoints[i].fd = -1;
    stream->next = relay->closed;
    relay->closed = stream;
    if (++relay->closed_count == CLOSED_MAX)
        eventfd_signal(relay->wake_fd); /* where no packet wakes the thread */
}

void relay_choose_set(struct relay *relay, struct stream *stream) {
    int set = set_of(relay, stream);
    for (int i = 0; i < SOCKETS && stream->is_resumed; i++) {
        struct endpoint *endpoint = &stream->endpoints[i];
        struct epoll_event interest = {.events = EPOLLIN, .data.ptr = endpoint};
        if (endpoint->set == set || epoll_ctl(set, EPOLL_CTL_ADD, endpoint->fd, &interest) != 0)
            continue; /* without memory it stays in its set, and its packets are read there */
        epoll_ctl(endpoint->set, EPOLL_CTL_DEL, endpoint->fd, NULL);
        endpoint->set = set;
    }
}
