/* The media thread: waits on every socket, relays what _decide.c lets pass, and applies commands between packets.
 *
 * Rule 1: only this thread touches a stream; a command waits until it is applied, so what was sent after it meets it.
 * Rule 2: nothing waits for room: an event has its place in its stream, a key without room ends its capture.
 * Rule 3: a packet that may hold a key is wiped from the buffer, which is secret memory. The kernel's socket buffers
 *         are out of reach. */
#include "_core.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 2048, READY = 256, BUCKETS = 1024, SLAB_STREAMS = 64, TICK_MS = 10 };
enum { CALLER_RTP = 0, CALLER_RTCP = 1, AGENT_RTP = 2, AGENT_RTCP = 3, SOCKETS = 4 };

struct endpoint { /* one socket; which leg and protocol follows from `index` */
    struct stream *stream;
    int index, fd;
    struct source source;
};

struct stream {
    int64_t id;
    struct endpoint endpoints[SOCKETS];
    struct counters counters[2];
    struct mask mask;
    struct keys *keys; /* in a slab */
    bool capture, announced, quiet_reported;
    int64_t heard_ms;
    struct stream *next; /* in its bucket */
    bool waiting[EVENT_KINDS]; /* guarded by `events_lock`, as is all below */
    int waiting_keys;
    bool listed;
    struct stream *previous_waiting, *next_waiting;
};

struct slab {
    struct secret memory;
    struct keys *owned[SLAB_STREAMS];
    struct slab *next;
};

struct relay {
    int epoll, wake, news;
    int64_t quiet_ms, due_ms;
    pthread_t thread;
    bool started, running; /* `running` is guarded by `lock` */
    pthread_mutex_t lock, events_lock;
    pthread_cond_t applied;
    struct command *first, *last;
    struct stream *buckets[BUCKETS];
    struct stream *first_waiting, *last_waiting;
    struct slab *slabs;
    struct keys **spare; /* free places in the slabs */
    size_t spares, spare_room;
    struct secret buffer;
};

static int64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void ring(int fd) {
    uint64_t one = 1;
    ssize_t ignored = write(fd, &one, sizeof one); /* fails only if it is readable already */
    (void)ignored;
}

static void hush(int fd) {
    uint64_t count;
    ssize_t ignored = read(fd, &count, sizeof count);
    (void)ignored;
}

/* --- places for keys ------------------------------------------------------------------------------------------------ */

static bool grow_slabs(struct relay *relay) {
    size_t room = relay->spare_room + SLAB_STREAMS;
    struct keys **spare = realloc(relay->spare, room * sizeof *spare);
    if (spare == NULL)
        return false;
    relay->spare = spare;
    struct slab *slab = calloc(1, sizeof *slab);
    if (slab == NULL || !secret_map(&slab->memory, SLAB_STREAMS * sizeof(struct keys))) {
        free(slab);
        return false;
    }
    relay->spare_room = room;
    for (size_t i = 0; i < SLAB_STREAMS; i++)
        relay->spare[relay->spares++] = (struct keys *)slab->memory.bytes + i;
    slab->next = relay->slabs;
    relay->slabs = slab;
    return true;
}

static struct keys *borrow_keys(struct relay *relay) {
    if (relay->spares == 0 && !grow_slabs(relay))
        return NULL;
    return relay->spare[--relay->spares];
}

/* --- events ----------------------------------------------------------------------------------------------------------- */

static void report(struct relay *relay, struct stream *stream, enum event_kind kind, int count) {
    pthread_mutex_lock(&relay->events_lock);
    stream->waiting[kind] = true;
    if (kind == KEYED)
        stream->waiting_keys = count;
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
                out[taken++] = (struct event){stream->id, kind, kind == KEYED ? stream->waiting_keys : 1};
        unlist(relay, stream);
    }
    if (relay->first_waiting != NULL)
        ring(relay->news);
    pthread_mutex_unlock(&relay->events_lock);
    return taken;
}

/* --- packets ---------------------------------------------------------------------------------------------------------- */

static void stop_capture(struct stream *stream) {
    explicit_bzero(stream->keys, sizeof *stream->keys);
    stream->capture = stream->announced = false;
}

static void keep_key(struct relay *relay, struct stream *stream, const struct decision *decision, int64_t now_ms) {
    if (keys_put(stream->keys, decision->key, decision->ssrc, decision->timestamp, now_ms)) {
        if (now_ms + KEY_HOLD_MS < relay->due_ms)
            relay->due_ms = now_ms + KEY_HOLD_MS;
        return;
    }
    stop_capture(stream); /* a number with a hole is worse than none */
    report(relay, stream, OVERFLOW, 1);
}

static struct decision decide(struct relay *relay, struct endpoint *from, uint8_t *packet, size_t length, int64_t now_ms) {
    struct stream *stream = from->stream;
    struct mask *mask = &stream->mask;
    struct decision decision = {.verdict = FORWARD, .key = KEY_NONE, .bytes = packet, .length = length};
    struct rtp rtp;
    switch (from->index) {
    case CALLER_RTP:
        decision = mask_rtp(mask, packet, length, now_ms);
        if (decision.key != KEY_NONE && stream->capture)
            keep_key(relay, stream, &decision, now_ms);
        break;
    case CALLER_RTCP:
        decision.verdict = mask_rtcp(mask, packet, length);
        break;
    case AGENT_RTP:
        if (mask->types_known && !rtp_parse(packet, length, &rtp))
            decision.verdict = MALFORMED;
        break;
    default:
        if (mask->types_known && !rtcp_is(packet, length))
            decision.verdict = MALFORMED;
    }
    return decision;
}

static void relay_one(struct relay *relay, struct endpoint *from, int64_t now_ms) {
    struct stream *stream = from->stream;
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    uint8_t *packet = relay->buffer.bytes;
    ssize_t got = recvfrom(from->fd, packet, BUFFER, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&address, &size);
    if (got < 0)
        return; /* nothing there, or an ICMP error that was waiting */
    size_t length = (size_t)got > BUFFER ? BUFFER : (size_t)got;
    int leg = from->index / 2, other = !leg;
    bool is_rtp = from->index % 2 == 0, oversized = (size_t)got > BUFFER;
    struct counters *here = &stream->counters[leg], *there = &stream->counters[other];
    struct rtp rtp;
    bool waits = from->source.latch && !from->source.locked;
    bool valid = waits && !oversized && (is_rtp ? rtp_parse(packet, length, &rtp) : rtcp_is(packet, length));
    const struct source *paired = is_rtp ? NULL : &stream->endpoints[from->index - 1].source;
    if (!source_admits(&from->source, paired, &address, valid)) {
        here->strangers++;
        explicit_bzero(packet, length);
        return;
    }
    here->received++;
    if (is_rtp) {
        stream->heard_ms = now_ms;
        stream->quiet_reported = false;
    }
    struct decision decision = {.verdict = MALFORMED, .key = KEY_NONE};
    if (!oversized)
        decision = decide(relay, from, packet, length, now_ms);
    const struct endpoint *to = &stream->endpoints[2 * other + !is_rtp];
    if (decision.verdict == MALFORMED) {
        here->malformed++;
    } else if (decision.verdict == WITHHELD) {
        there->masked++;
    } else if (to->source.present) {
        const struct sockaddr_storage *peer = &to->source.current;
        if (sendto(to->fd, decision.bytes, decision.length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)peer,
                   source_length(peer)) >= 0)
            there->sent++;
    }
    bool is_plain_audio = decision.verdict == FORWARD && length > 1 && stream->mask.kinds[packet[1] & 0x7F] != TYPE_EVENT;
    if (!is_plain_audio || decision.key != KEY_NONE)
        explicit_bzero(packet, length);
    explicit_bzero(&decision, sizeof decision);
}

/* --- time --------------------------------------------------------------------------------------------------------------- */

/* Announce keys whose hold is over and peers that fell silent; find when to look again. */
static void tend(struct relay *relay, int64_t now_ms) {
    int64_t due_ms = INT64_MAX;
    for (int bucket = 0; bucket < BUCKETS; bucket++)
        for (struct stream *stream = relay->buckets[bucket]; stream != NULL; stream = stream->next) {
            if (stream->capture && stream->keys->count > 0 && !stream->announced) {
                int ripe = keys_ripe(stream->keys, now_ms);
                if (ripe > 0) {
                    stream->announced = true;
                    report(relay, stream, KEYED, ripe);
                } else if (stream->keys->held[0].seen_ms + KEY_HOLD_MS < due_ms) {
                    due_ms = stream->keys->held[0].seen_ms + KEY_HOLD_MS;
                }
            }
            if (relay->quiet_ms > 0 && !stream->quiet_reported) {
                if (now_ms - stream->heard_ms >= relay->quiet_ms) {
                    stream->quiet_reported = true;
                    report(relay, stream, QUIET, 1);
                } else if (stream->heard_ms + relay->quiet_ms < due_ms) {
                    due_ms = stream->heard_ms + relay->quiet_ms;
                }
            }
        }
    /* A stream that was quiet and speaks again is looked at within the quiet time. */
    if (relay->quiet_ms > 0 && now_ms + relay->quiet_ms < due_ms)
        due_ms = now_ms + relay->quiet_ms;
    relay->due_ms = due_ms < now_ms + TICK_MS ? now_ms + TICK_MS : due_ms;
}

/* --- commands ------------------------------------------------------------------------------------------------------------- */

static struct stream **find(struct relay *relay, int64_t id) {
    struct stream **at = &relay->buckets[(uint64_t)id % BUCKETS];
    while (*at != NULL && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static int open_stream(struct relay *relay, const struct command *command, int64_t now_ms) {
    struct stream **at = find(relay, command->stream);
    if (*at != NULL)
        return -EEXIST;
    struct stream *stream = calloc(1, sizeof *stream);
    struct keys *keys = stream == NULL ? NULL : borrow_keys(relay);
    if (keys == NULL) {
        free(stream);
        return -ENOMEM;
    }
    *stream = (struct stream){.id = command->stream, .keys = keys, .heard_ms = now_ms};
    int error = 0;
    for (int i = 0; i < SOCKETS; i++) {
        stream->endpoints[i] = (struct endpoint){.stream = stream, .index = i, .fd = command->fds[i]};
        struct epoll_event interest = {.events = EPOLLIN, .data.ptr = &stream->endpoints[i]};
        if (error == 0 && epoll_ctl(relay->epoll, EPOLL_CTL_ADD, command->fds[i], &interest) != 0) {
            error = -errno;
            for (int j = 0; j < i; j++)
                epoll_ctl(relay->epoll, EPOLL_CTL_DEL, command->fds[j], NULL);
        }
    }
    if (error != 0) { /* the descriptors stay the caller's */
        relay->spare[relay->spares++] = keys;
        free(stream);
        return error;
    }
    *at = stream;
    if (relay->quiet_ms > 0 && now_ms + relay->quiet_ms < relay->due_ms)
        relay->due_ms = now_ms + relay->quiet_ms;
    return 0;
}

static void close_stream(struct relay *relay, struct stream **at) {
    struct stream *stream = *at;
    *at = stream->next;
    for (int i = 0; i < SOCKETS; i++)
        close(stream->endpoints[i].fd); /* leaves the epoll set with it: nobody else holds the socket */
    stop_capture(stream);
    relay->spare[relay->spares++] = stream->keys;
    pthread_mutex_lock(&relay->events_lock);
    unlist(relay, stream);
    pthread_mutex_unlock(&relay->events_lock);
    explicit_bzero(stream, sizeof *stream);
    free(stream);
}

static int take_digits(struct relay *relay, struct stream *stream, const struct command *command, int64_t now_ms) {
    int taken = keys_take(stream->keys, now_ms, command->into, command->room);
    stream->announced = false;
    if (stream->keys->count > 0)
        relay->due_ms = now_ms;
    return taken;
}

static int apply(struct relay *relay, struct command *command) {
    int64_t now_ms = clock_ms();
    if (command->kind == OPEN_STREAM)
        return open_stream(relay, command, now_ms);
    struct stream **at = find(relay, command->stream), *stream = *at;
    if (stream == NULL)
        return -ENOENT;
    struct endpoint *rtp = &stream->endpoints[2 * command->leg];
    switch (command->kind) {
    case SET_PEER:
        source_set(&rtp[0].source, &command->rtp, command->has_rtp, command->on);
        source_set(&rtp[1].source, &command->rtcp, command->has_rtp && command->has_rtcp, command->on);
        return 0;
    case SET_TYPES:
        mask_types(&stream->mask, command->events, command->event_count, command->audio, command->audio_count);
        return 0;
    case SET_MASK:
        stream->mask.on = command->on;
        return 0;
    case SET_CAPTURE:
        stop_capture(stream);
        stream->capture = command->on;
        return 0;
    case TAKE_DIGITS:
        return take_digits(relay, stream, command, now_ms);
    case COUNTERS:
        memcpy(command->counters, stream->counters, sizeof stream->counters);
        return 0;
    case CLOSE_STREAM:
        memcpy(command->counters, stream->counters, sizeof stream->counters);
        close_stream(relay, at);
        return 0;
    default:
        return -EINVAL;
    }
}

/* Apply what waits. Returns false after STOP. */
static bool obey(struct relay *relay) {
    bool go_on = true;
    hush(relay->wake);
    pthread_mutex_lock(&relay->lock);
    while (relay->first != NULL) {
        struct command *command = relay->first;
        relay->first = command->next;
        if (relay->first == NULL)
            relay->last = NULL;
        pthread_mutex_unlock(&relay->lock);
        if (command->kind == STOP)
            go_on = false;
        int result = command->kind == STOP ? 0 : go_on ? apply(relay, command) : -ESHUTDOWN;
        pthread_mutex_lock(&relay->lock);
        command->result = result;
        command->done = true;
    }
    if (!go_on)
        relay->running = false;
    pthread_cond_broadcast(&relay->applied);
    pthread_mutex_unlock(&relay->lock);
    return go_on;
}

static void *run(void *argument) {
    struct relay *relay = argument;
    struct epoll_event ready[READY];
    bool go_on = true;
    while (go_on) {
        int64_t wait_ms = relay->due_ms == INT64_MAX ? -1 : relay->due_ms - clock_ms();
        int timeout = relay->due_ms == INT64_MAX ? -1 : wait_ms < 0 ? 0 : wait_ms > 3600000 ? 3600000 : (int)wait_ms;
        int count = epoll_wait(relay->epoll, ready, READY, timeout);
        int64_t now_ms = clock_ms();
        bool called = false;
        for (int i = 0; i < count; i++) {
            /* One packet a turn: level-triggered, so a burst comes up again, and no socket starves the others. */
            if (ready[i].data.ptr == NULL)
                called = true;
            else
                relay_one(relay, ready[i].data.ptr, now_ms);
        }
        if (now_ms >= relay->due_ms)
            tend(relay, now_ms);
        if (called) /* last: closing a stream must not pull it from under the events above */
            go_on = obey(relay);
    }
    for (int bucket = 0; bucket < BUCKETS; bucket++)
        while (relay->buckets[bucket] != NULL)
            close_stream(relay, &relay->buckets[bucket]);
    secret_wipe(&relay->buffer);
    return NULL;
}

/* --- the other threads' side ---------------------------------------------------------------------------------------------- */

struct relay *relay_new(double quiet_after) {
    struct relay *relay = calloc(1, sizeof *relay);
    if (relay == NULL)
        return NULL;
    pthread_mutex_init(&relay->lock, NULL);
    pthread_mutex_init(&relay->events_lock, NULL);
    pthread_cond_init(&relay->applied, NULL);
    relay->quiet_ms = (int64_t)(quiet_after * 1000);
    relay->due_ms = INT64_MAX;
    relay->epoll = epoll_create1(EPOLL_CLOEXEC);
    relay->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    relay->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = NULL};
    if (relay->epoll < 0 || relay->wake < 0 || relay->news < 0 || !secret_map(&relay->buffer, BUFFER) ||
        epoll_ctl(relay->epoll, EPOLL_CTL_ADD, relay->wake, &interest) != 0) {
        int why = errno;
        relay_free(relay);
        errno = why;
        return NULL;
    }
    return relay;
}

int relay_start(struct relay *relay) {
    if (relay->started)
        return -EALREADY;
    sigset_t all, before; /* signals are for Python's threads */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    relay->running = true;
    int error = pthread_create(&relay->thread, NULL, run, relay);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    relay->started = error == 0;
    relay->running = relay->started;
    return -error;
}

void relay_run(struct relay *relay, struct command *command) {
    pthread_mutex_lock(&relay->lock);
    if (!relay->running) {
        command->result = -ESHUTDOWN;
    } else {
        if (relay->last != NULL)
            relay->last->next = command;
        else
            relay->first = command;
        relay->last = command;
        ring(relay->wake);
        while (!command->done)
            pthread_cond_wait(&relay->applied, &relay->lock);
    }
    pthread_mutex_unlock(&relay->lock);
}

int relay_fileno(const struct relay *relay) { return relay->news; }

void relay_free(struct relay *relay) {
    if (relay->started) {
        struct command stop = {.kind = STOP};
        relay_run(relay, &stop);
        pthread_join(relay->thread, NULL);
    }
    for (struct slab *slab = relay->slabs, *next; slab != NULL; slab = next) {
        next = slab->next;
        secret_unmap(&slab->memory);
        free(slab);
    }
    free(relay->spare);
    secret_unmap(&relay->buffer);
    int fds[] = {relay->epoll, relay->wake, relay->news};
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    pthread_mutex_destroy(&relay->lock);
    pthread_mutex_destroy(&relay->events_lock);
    pthread_cond_destroy(&relay->applied);
    free(relay);
}
