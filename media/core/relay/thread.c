/* The media thread: waits on every socket and relays packets; commands are applied between packets.
 *
 * Rule 1: streams are touched with the lock held only: once a command has returned, every packet
 *         meets its effect.
 * Rule 2: packets that come close together are relayed together, for a wake costs more than a
 *         packet: those of streams that are not masked wait `coalescing_us` for others, those of
 *         masked ones `masked_coalescing_us` (docs/adr/0013, docs/adr/0023).
 * Rule 3: anything that a key may have left on the stack is overwritten before the thread waits
 *         again. */
#include "relay/thread.h"

#include "relay/clock.h"
#include "relay/decoder.h"
#include "relay/eventfd.h"
#include "relay/forward.h"
#include "relay/lock.h"
#include "relay/playing.h"
#include "relay/state.h"
#include "relay/table.h"
#include "relay/timers.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>

/* READY, MASKED_READY: sockets that epoll names at once. PLENTY: packets in a turn, after which
 * there is no pause. LATE_US: a pause that was so much too long means that others want the
 * processor; then there are none for BUSY_US. */
enum { READY = 256, MASKED_READY = 16, PLENTY = 32, LATE_US = 2000, BUSY_US = 100000 };

/* State of the media thread alone. */
struct thread {
    struct relay *relay;
    struct epoll_event ready[READY], masked_ready[MASKED_READY];
    int64_t now_us, due_us, busy_until_us;
    int came; /* packets of streams that are not masked, in this turn */
    bool go_on, paused;
    int64_t masked_due_us; /* when to look at masked streams; INT64_MAX: when a packet comes */
    int masked_came; /* packets of them since then */
    bool masked_paused;
};

/* How long to wait for packets, in milliseconds as epoll counts them; -1: for ever. */
static int timeout_ms(const struct thread *thread) {
    int64_t due_us = thread->due_us < thread->masked_due_us ? thread->due_us : thread->masked_due_us;
    if (thread->paused)
        return 0;
    if (due_us == INT64_MAX)
        return -1;
    int64_t left_us = due_us - clock_us(); /* a hold at most, if a key is held */
    return left_us < 0 ? 0 : (int)((left_us + 999) / 1000);
}

/* Whether to go on without pauses: others want the processor, and a thread that pauses has to wait
 * for it. */
static bool is_busy(struct thread *thread, bool late) {
    if (late)
        thread->busy_until_us = thread->now_us + BUSY_US;
    return thread->now_us < thread->busy_until_us;
}

int relay_await_masked(struct relay *relay, int change) {
    struct epoll_event interest = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = &relay->masked};
    return epoll_ctl(relay->epoll, change, relay->masked, &interest);
}

/* Relays the packets of masked streams, or so many that others do not wait for long. Pauses where
 * more than one had come, and again as long as each pause brings one. Else the set is armed again,
 * so that the next packet wakes the thread. An idle call causes no wake-ups. */
static void relay_masked(struct thread *thread) {
    struct relay *relay = thread->relay;
    bool late =
        thread->masked_paused && thread->masked_came == 0 && thread->now_us - thread->masked_due_us > LATE_US;
    /* As many as of others: none starves. */
    int left = thread->came > MASKED_READY ? thread->came : MASKED_READY;
    for (int count;
         left > 0 && (count = epoll_wait(relay->masked, thread->masked_ready, MASKED_READY, 0)) > 0;
         left -= count) {
        for (int i = 0; i < count; i++) /* one packet of each, as above */
            relay_one(relay, thread->masked_ready[i].data.ptr, thread->now_us / 1000);
        thread->masked_came += count;
    }
    if (left <= 0)
        return; /* it stays due */
    bool many = thread->masked_came > 1 || (thread->masked_paused && thread->masked_came > 0);
    thread->masked_paused = !is_busy(thread, late) && many;
    thread->masked_came = 0;
    thread->masked_due_us = thread->masked_paused ? thread->now_us + relay->masked_coalescing_us : INT64_MAX;
    if (!thread->masked_paused)
        relay_await_masked(relay, EPOLL_CTL_MOD);
}

/* Relays the packets that came, and does the work that is due. Not inlined: anything that it leaves
 * on the stack is below its caller's. Returns whether that may be secret. */
static __attribute__((noinline)) bool relay_turn(struct thread *thread, int count) {
    struct relay *relay = thread->relay;
    int64_t now_ms = thread->now_us / 1000;
    thread->came = 0;
    relay_lock(relay);
    for (int i = 0; i < count; i++) {
        /* One packet a turn: level-triggered, so a burst comes up again, and no socket starves the
         * others. */
        void *ready = thread->ready[i].data.ptr;
        struct endpoint *endpoint = ready;
        if (ready == NULL)
            eventfd_drain(relay->wake_fd);
        else if (ready == &relay->decoder_fd)
            relay_take_answers(relay);
        else if (ready == &relay->masked)
            thread->masked_due_us = thread->now_us;
        else if (endpoint->fd >= 0)
            thread->came += relay_one(relay, endpoint, now_ms);
    }
    if (thread->now_us >= thread->masked_due_us)
        relay_masked(thread);
    if (now_ms >= relay->due_ms)
        relay_timers(relay, now_ms);
    if (now_ms >= relay->play_due_ms)
        relay_play_due(relay, now_ms);
    relay_free_closed(relay); /* neither epoll nor `ready` names them any more */
    int64_t due_ms = relay->due_ms < relay->play_due_ms ? relay->due_ms : relay->play_due_ms;
    thread->due_us = due_ms == INT64_MAX ? INT64_MAX : due_ms * 1000;
    thread->go_on = relay->running;
    bool stack_is_secret = relay->stack_is_secret;
    relay->stack_is_secret = false;
    relay_unlock(relay);
    return stack_is_secret;
}

/* Where packets come faster than one a `coalescing_us`, they are relayed together. False: there was
 * no pause. */
static bool pause_for_others(struct thread *thread) {
    int coalescing_us = thread->relay->coalescing_us;
    /* A pause that brought one packet is as good as one that brought two. */
    bool many = thread->came > 1 || (thread->paused && thread->came > 0);
    if (!thread->go_on || coalescing_us == 0 || !many || thread->came >= PLENTY ||
        thread->now_us >= thread->masked_due_us || is_busy(thread, false))
        return false;
    struct timespec pause = {.tv_nsec = coalescing_us * 1000L};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    is_busy(thread, clock_us() - thread->now_us > coalescing_us + LATE_US);
    return true;
}

void *relay_thread(void *argument) {
    struct thread thread = {
        .relay = argument, .go_on = true, .due_us = INT64_MAX, .masked_due_us = INT64_MAX};
    prctl(PR_SET_TIMERSLACK, 1UL); /* of this thread alone: a pause is no longer than asked for */
    while (thread.go_on) {
        int count = epoll_wait(thread.relay->epoll, thread.ready, READY, timeout_ms(&thread));
        thread.now_us = clock_us();
        if (relay_turn(&thread, count))
            relay_wipe_stack();
        thread.paused = pause_for_others(&thread);
    }
    return NULL;
}
