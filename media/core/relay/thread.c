/* The media thread: waits on every socket and relays what comes; commands are applied between packets.
 *
 * Rule 1: streams are touched under `lock` only: once a command has returned, every packet meets what it set.
 * Rule 2: packets that come close together are taken together, for a wake costs more than a packet: those of streams that are not
 *         masked wait `gather_us` for others, those of masked ones `masked_gather_us` (docs/adr/0013, docs/adr/0023).
 * Rule 3: what a key may have left on the stack is overwritten before the thread waits again. */
#include "relay/relay.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { READY = 256, MASKED_READY = 16, MOST_GATHER_US = 5000, MOST_MASKED_GATHER_US = 10000, PLENTY = 32,
       LATE_US = 2000, HURRY_US = 100000, HOLDS = 16, QUEUES = 4, STACK_DEPTH = 8192 };
_Static_assert(2 * SPACING % _Alignof(struct decision) == 0, "a decision fits behind the packets");

struct thread { /* what the media thread alone knows; times in microseconds */
    struct relay *relay;
    struct epoll_event ready[READY], masked_ready[MASKED_READY];
    int64_t now_us, due_us, hurry_until_us;
    int came; /* packets of streams that are not masked, in this turn */
    bool go_on, paused;
    int64_t masked_due_us; /* when to look at masked streams; INT64_MAX: when something comes */
    int masked_came;       /* packets of them since then */
    bool masked_paused;
};

static int64_t clock_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- the lock ---------------------------------------------------------------------------------------------------------- */

void enter(struct relay *relay) {
    pthread_mutex_lock(&relay->turn);
    pthread_mutex_lock(&relay->lock);
    pthread_mutex_unlock(&relay->turn);
}

void leave(struct relay *relay) { pthread_mutex_unlock(&relay->lock); }

/* More than twice of what a packet was seen to take; tests/unit/media/core/test_relay_stack.py sees what lies deeper. */
__attribute__((noinline)) void wipe_stack(void) {
    uint8_t below[STACK_DEPTH];
    explicit_bzero(below, sizeof below);
}

/* --- the thread ------------------------------------------------------------------------------------------------------ */

/* How long to wait for packets, in milliseconds as epoll counts them; -1: for ever. */
static int patience_ms(const struct thread *thread) {
    int64_t due_us = thread->due_us < thread->masked_due_us ? thread->due_us : thread->masked_due_us;
    if (thread->paused)
        return 0;
    if (due_us == INT64_MAX)
        return -1;
    int64_t left_us = due_us - clock_us(); /* a hold at most, if a key is held */
    return left_us < 0 ? 0 : (int)((left_us + 999) / 1000);
}

/* Whether to go on without pauses: others want the processor, and whoever pauses has to wait for it. */
static bool is_hurried(struct thread *thread, bool late) {
    if (late)
        thread->hurry_until_us = thread->now_us + HURRY_US;
    return thread->now_us < thread->hurry_until_us;
}

/* `epoll` says that there is something in `masked` once, until it is asked to again. */
static int await_masked(struct relay *relay, int change) {
    struct epoll_event interest = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = &relay->masked};
    return epoll_ctl(relay->epoll, change, relay->masked, &interest);
}

/* All that has come for masked streams, or so much that others do not wait for long. Then a pause, where there was more than one
 * packet, and again as long as each pause brings one; otherwise the next packet wakes the thread, and an idle call nobody. */
static void take_masked(struct thread *thread) {
    struct relay *relay = thread->relay;
    bool late = thread->masked_paused && thread->masked_came == 0 && thread->now_us - thread->masked_due_us > LATE_US;
    int left = thread->came > MASKED_READY ? thread->came : MASKED_READY; /* as many as of others: none starves */
    for (int count; left > 0 && (count = epoll_wait(relay->masked, thread->masked_ready, MASKED_READY, 0)) > 0; left -= count) {
        for (int i = 0; i < count; i++) /* one packet of each, as above */
            relay_one(relay, thread->masked_ready[i].data.ptr, thread->now_us / 1000);
        thread->masked_came += count;
    }
    if (left <= 0)
        return; /* it stays due */
    bool many = thread->masked_came > 1 || (thread->masked_paused && thread->masked_came > 0);
    thread->masked_paused = !is_hurried(thread, late) && many;
    thread->masked_came = 0;
    thread->masked_due_us = thread->masked_paused ? thread->now_us + relay->masked_gather_us : INT64_MAX;
    if (!thread->masked_paused)
        await_masked(relay, EPOLL_CTL_MOD);
}

/* What came, or what is due. Not inlined: what it leaves on the stack is below its caller's. */
static __attribute__((noinline)) bool take_turn(struct thread *thread, int count) {
    struct relay *relay = thread->relay;
    int64_t now_ms = thread->now_us / 1000;
    thread->came = 0;
    enter(relay);
    for (int i = 0; i < count; i++) {
        /* One packet a turn: level-triggered, so a burst comes up again, and no socket starves the others. */
        void *what = thread->ready[i].data.ptr;
        struct endpoint *endpoint = what;
        if (what == NULL)
            hush(relay->wake);
        else if (what == &relay->decoder)
            decoder_hear(relay);
        else if (what == &relay->masked)
            thread->masked_due_us = thread->now_us;
        else if (endpoint->fd >= 0)
            thread->came += relay_one(relay, endpoint, now_ms);
    }
    if (thread->now_us >= thread->masked_due_us)
        take_masked(thread);
    if (now_ms >= relay->due_ms)
        tend(relay, now_ms);
    free_closed(relay); /* epoll has forgotten them, and so have we now */
    thread->due_us = relay->due_ms == INT64_MAX ? INT64_MAX : relay->due_ms * 1000;
    thread->go_on = relay->running;
    bool stack_is_secret = relay->stack_is_secret;
    relay->stack_is_secret = false;
    leave(relay);
    return stack_is_secret;
}

/* Where packets come faster than one a `gather_us`, they are taken together. False: there was no pause. */
static bool gather(struct thread *thread) {
    int gather_us = thread->relay->gather_us;
    /* A pause that brought one packet is as good as one that brought two. */
    bool many = thread->came > 1 || (thread->paused && thread->came > 0);
    if (!thread->go_on || gather_us == 0 || !many || thread->came >= PLENTY || thread->now_us >= thread->masked_due_us ||
        is_hurried(thread, false))
        return false;
    struct timespec pause = {.tv_nsec = gather_us * 1000L};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    is_hurried(thread, clock_us() - thread->now_us > gather_us + LATE_US);
    return true;
}

static void *run(void *argument) {
    struct thread thread = {.relay = argument, .go_on = true, .due_us = INT64_MAX, .masked_due_us = INT64_MAX};
    prctl(PR_SET_TIMERSLACK, 1UL); /* of this thread alone: a pause is as long as it was asked for */
    while (thread.go_on) {
        int count = epoll_wait(thread.relay->epoll, thread.ready, READY, patience_ms(&thread));
        thread.now_us = clock_us();
        if (take_turn(&thread, count))
            wipe_stack();
        thread.paused = gather(&thread);
    }
    return NULL;
}

/* --- the other threads' side ---------------------------------------------------------------------------------------------- */

static const struct pool KEYS_POOL = {.size = sizeof(struct keys), .places = SLAB_STREAMS},
                         HOLDS_POOL = {.size = sizeof(struct hold), .places = HOLDS},
                         QUEUES_POOL = {.size = sizeof(struct queue), .places = QUEUES};
static const size_t BUFFER_BYTES = 2 * SPACING + sizeof(struct decision);

size_t relay_secret_bytes(size_t streams, size_t masked, size_t decoded) {
    return secret_mapped(BUFFER_BYTES) + pool_bytes(&KEYS_POOL, streams) + pool_bytes(&HOLDS_POOL, masked) +
           pool_bytes(&QUEUES_POOL, decoded);
}

struct relay *relay_new(void) {
    struct relay *relay = calloc(1, sizeof *relay);
    if (relay == NULL)
        return NULL;
    pthread_mutexattr_t lending; /* a real-time thread that waits for a lock lends its holder its priority */
    pthread_mutexattr_init(&lending);
    pthread_mutexattr_setprotocol(&lending, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&relay->turn, &lending);
    pthread_mutex_init(&relay->lock, &lending);
    pthread_mutex_init(&relay->events_lock, &lending);
    pthread_mutexattr_destroy(&lending);
    relay->due_ms = INT64_MAX;
    relay->keys = KEYS_POOL;
    relay->holds = HOLDS_POOL;
    relay->queues = QUEUES_POOL;
    relay->decoder = -1;
    relay->epoll = epoll_create1(EPOLL_CLOEXEC);
    relay->masked = epoll_create1(EPOLL_CLOEXEC);
    relay->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    relay->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = NULL};
    if (relay->epoll < 0 || relay->masked < 0 || relay->wake < 0 || relay->news < 0 ||
        !secret_map(&relay->buffer, BUFFER_BYTES) ||
        epoll_ctl(relay->epoll, EPOLL_CTL_ADD, relay->wake, &interest) != 0 ||
        await_masked(relay, EPOLL_CTL_ADD) != 0) {
        int why = errno;
        relay_free(relay);
        errno = why;
        return NULL;
    }
    relay->decision = (struct decision *)(relay->buffer.bytes + 2 * SPACING);
    return relay;
}

int relay_start(struct relay *relay, int processor, int gather_us, int masked_gather_us) {
    if (relay->started)
        return -EALREADY;
    if (processor >= CPU_SETSIZE || gather_us < 0 || gather_us > MOST_GATHER_US || masked_gather_us < 0 ||
        masked_gather_us > MOST_MASKED_GATHER_US)
        return -EINVAL;
    relay->gather_us = gather_us;
    relay->masked_gather_us = masked_gather_us;
    pthread_attr_t place;
    pthread_attr_init(&place);
    if (processor >= 0) {
        cpu_set_t only;
        CPU_ZERO(&only);
        CPU_SET(processor, &only);
        pthread_attr_setaffinity_np(&place, sizeof only, &only);
    }
    sigset_t all, before; /* signals are for Python's threads */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    relay->running = true;
    int error = pthread_create(&relay->thread, &place, run, relay);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&place);
    relay->started = error == 0;
    relay->running = relay->started;
    return -error;
}

int relay_go_first(struct relay *relay) {
    struct sched_param least = {.sched_priority = sched_get_priority_min(SCHED_FIFO)}; /* more than all that is not */
    return relay->started ? -pthread_setschedparam(relay->thread, SCHED_FIFO, &least) : -ESHUTDOWN;
}

int relay_fileno(const struct relay *relay) { return relay->news; }

void relay_free(struct relay *relay) {
    if (relay->started) {
        struct command stop = {.kind = STOP};
        relay_run(relay, &stop);
        pthread_join(relay->thread, NULL);
    }
    free_closed(relay);
    pool_free(&relay->keys);
    pool_free(&relay->holds);
    pool_free(&relay->queues);
    secret_unmap(&relay->buffer);
    int fds[] = {relay->epoll, relay->masked, relay->wake, relay->news, relay->decoder};
    for (int i = 0; i < 5; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    pthread_mutex_destroy(&relay->turn);
    pthread_mutex_destroy(&relay->lock);
    pthread_mutex_destroy(&relay->events_lock);
    free(relay);
}
