/* Streams and the commands that change them, applied under the lock. */
#include "relay/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

void stop_capture(struct stream *stream) {
    explicit_bzero(stream->keys, sizeof *stream->keys);
    stream->capture = stream->announced = false;
}

struct stream **find_stream(struct relay *relay, int64_t id) {
    struct stream **at = &relay->buckets[(uint64_t)id % BUCKETS];
    while (*at != NULL && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static int open_stream(struct relay *relay, const struct command *command) {
    struct stream **at = find_stream(relay, command->stream);
    if (*at != NULL)
        return -EEXIST;
    struct stream *stream = calloc(1, sizeof *stream);
    struct keys *keys = stream == NULL ? NULL : pool_borrow(&relay->keys);
    if (keys == NULL) {
        free(stream);
        return -ENOMEM;
    }
    *stream = (struct stream){.id = command->stream, .keys = keys, .mask.codes = keys->codes};
    int error = 0;
    for (int i = 0; i < SOCKETS; i++) {
        stream->endpoints[i] = (struct endpoint){.stream = stream, .index = i, .fd = command->fds[i], .set = relay->epoll};
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

/* Masked audio is held anyway, so its sockets may be looked at more rarely. */
static void choose_set(struct relay *relay, struct stream *stream) {
    int set = stream->mask.on && relay->masked_gather_us > 0 ? relay->masked : relay->epoll;
    for (int i = 0; i < SOCKETS; i++) {
        struct endpoint *endpoint = &stream->endpoints[i];
        struct epoll_event interest = {.events = EPOLLIN, .data.ptr = endpoint};
        if (endpoint->set == set || epoll_ctl(set, EPOLL_CTL_ADD, endpoint->fd, &interest) != 0)
            continue; /* without memory it stays where it was, and is heard there */
        epoll_ctl(endpoint->set, EPOLL_CTL_DEL, endpoint->fd, NULL);
        endpoint->set = set;
    }
}

void close_stream(struct relay *relay, struct stream **at) {
    struct stream *stream = *at;
    *at = stream->next;
    for (int i = 0; i < SOCKETS; i++) {
        /* Closing alone is not enough: a child between fork and exec still holds the socket. */
        epoll_ctl(stream->endpoints[i].set, EPOLL_CTL_DEL, stream->endpoints[i].fd, NULL);
        close(stream->endpoints[i].fd);
    }
    stop_capture(stream);
    pool_give_back(&relay->keys, stream->keys);
    if (stream->mask.hold != NULL)
        pool_give_back(&relay->holds, stream->mask.hold);
    decoder_forget(relay, stream);
    for (int leg = CALLER; leg <= AGENT; leg++)
        crypto_free(stream->crypto[leg]);
    forget_news(relay, stream);
    explicit_bzero(stream, sizeof *stream);
    for (int i = 0; i < SOCKETS; i++)
        stream->endpoints[i].fd = -1;
    stream->next = relay->closed;
    relay->closed = stream;
    if (++relay->closed_count == MOST_CLOSED)
        ring(relay->wake); /* where no packet wakes the thread */
}

void free_closed(struct relay *relay) {
    while (relay->closed != NULL) {
        struct stream *stream = relay->closed;
        relay->closed = stream->next;
        free(stream);
    }
    relay->closed_count = 0;
}

static int stop(struct relay *relay) {
    for (int bucket = 0; bucket < BUCKETS; bucket++)
        while (relay->buckets[bucket] != NULL)
            close_stream(relay, &relay->buckets[bucket]);
    decoder_set(relay, -1);
    secret_wipe(&relay->buffer);
    relay->running = false;
    ring(relay->wake);
    return 0;
}

static int take_digits(struct relay *relay, struct stream *stream, const struct command *command, int64_t now_ms) {
    int taken = keys_take(stream->keys, now_ms, command->into, command->room);
    relay->stack_is_secret = true;
    stream->announced = false;
    if (stream->keys->count > 0)
        relay->due_ms = now_ms;
    return taken;
}

enum { DRAIN = 1024 };

/* What arrived under the mask is treated under the mask. */
static void drain(struct relay *relay, struct stream *stream, int64_t now_ms) {
    for (int index = 2 * CALLER; index < 2 * AGENT; index++)
        for (int left = DRAIN; left > 0 && relay_one(relay, &stream->endpoints[index], now_ms); left--)
            ;
}

static int set_mask(struct relay *relay, struct stream *stream, const struct command *command, int64_t now_ms) {
    struct mask *mask = &stream->mask;
    if (mask->on && command->on) { /* the manner may change, what is held stays */
        if (mask->hold != NULL)
            mask->hold->manner = command->manner;
    } else if (mask->on) {
        drain(relay, stream, now_ms);
        if (stream->queue != NULL)
            queue_shut(stream->queue); /* what was not listened to */
        if (mask->hold != NULL)
            hold_end(mask->hold); /* what was not looked past */
        release(relay, stream, true);
        decoder_forget(relay, stream);
        if (mask->hold != NULL)
            pool_give_back(&relay->holds, mask->hold);
        mask->hold = NULL;
    }
    mask->on = command->on;
    if (mask->on)
        sender_forget(&mask->sender);
    mask->shut = mask->shut && mask->on;
    mask->keyed = mask->keyed && mask->on;
    choose_set(relay, stream);
    if (mask->on && mask->hold == NULL) {
        mask->hold = pool_borrow(&relay->holds);
        if (mask->hold == NULL)
            return -ENOMEM; /* masked all the same: no audio leaves */
        hold_begin(mask->hold, &command->manner);
        mask->gap = (struct gap){0};
    }
    return 0;
}

/* 1: it will be sent; 0: not while masked, and not where too many wait. */
static int send_key(struct relay *relay, struct stream *stream, const struct command *command, int64_t now_ms) {
    uint32_t own = 0;
    while (own == 0)
        if (getrandom(&own, sizeof own, 0) != sizeof own)
            return -errno;
    bool taken = sender_put(&stream->mask, &command->key, own, now_ms);
    int64_t due_ms = sender_due_ms(&stream->mask.sender);
    if (due_ms < relay->due_ms)
        relay->due_ms = due_ms;
    return taken;
}

static int set_crypto(struct stream *stream, const struct command *command) {
    struct crypto **crypto = &stream->crypto[command->leg], *changed = NULL;
    if (command->keys.suite != NULL && (changed = crypto_change(*crypto, &command->keys)) == NULL)
        return -errno;
    if (changed == NULL)
        crypto_free(*crypto);
    *crypto = changed;
    return 0;
}

static void tell_counters(const struct stream *stream, struct counters told[2]) {
    memcpy(told, stream->counters, sizeof stream->counters);
    for (int leg = CALLER; leg <= AGENT; leg++)
        arrivals_tell(&stream->arrivals[leg], &told[leg]);
}

static __attribute__((noinline)) int apply(struct relay *relay, struct command *command) {
    if (command->kind == OPEN_STREAM)
        return open_stream(relay, command);
    if (command->kind == STOP)
        return stop(relay);
    if (command->kind == HAS_DECODER)
        return relay->decoder >= 0;
    if (command->kind == SET_DECODER) {
        decoder_set(relay, command->fds[0]);
        return 0;
    }
    struct stream **at = find_stream(relay, command->stream), *stream = *at;
    if (stream == NULL)
        return -ENOENT;
    struct endpoint *rtp = &stream->endpoints[2 * command->leg];
    int64_t now_ms = clock_ms();
    switch (command->kind) {
    case SET_PEER:
        source_set(&rtp[0].source, &command->rtp, command->has_rtp, command->on);
        stream->muxed[command->leg] = command->has_rtp && command->has_rtcp && source_same(&command->rtp, &command->rtcp);
        source_set(&rtp[1].source, &command->rtcp,
                   command->has_rtp && command->has_rtcp && !stream->muxed[command->leg], command->on);
        return 0;
    case SET_CRYPTO:
        return set_crypto(stream, command);
    case SET_TYPES:
        mask_types(&stream->mask, command->types);
        stream->mask.drops_events = command->on;
        stream->clock = command->clock;
        return 0;
    case SET_MASK:
        return set_mask(relay, stream, command, now_ms);
    case IS_QUIET: /* where there is no hold no audio leaves, and of its tones nothing is known */
        return mask_is_quiet(&stream->mask, now_ms, command->quiet_ms);
    case SET_CAPTURE:
        stop_capture(stream);
        forget_capture(relay, stream);
        stream->capture = command->on;
        return 0;
    case SEND_KEY:
        return send_key(relay, stream, command, now_ms);
    case TAKE_DIGITS:
        return take_digits(relay, stream, command, now_ms);
    case COUNTERS:
        tell_counters(stream, command->counters);
        return 0;
    case ARRIVED:
        memcpy(command->arrived, stream->arrived, sizeof stream->arrived);
        return 0;
    case CLOSE_STREAM:
        tell_counters(stream, command->counters);
        close_stream(relay, at);
        return 0;
    default:
        return -EINVAL;
    }
}

void relay_run(struct relay *relay, struct command *command) {
    enter(relay);
    int64_t due_ms = relay->due_ms;
    command->result = relay->running ? apply(relay, command) : -ESHUTDOWN;
    bool sooner = relay->due_ms < due_ms, stack_is_secret = relay->stack_is_secret;
    relay->stack_is_secret = false;
    leave(relay);
    if (stack_is_secret)
        wipe_stack();
    if (sooner) /* than what the thread waits for */
        ring(relay->wake);
}
