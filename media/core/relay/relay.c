/* The relay's beginning and end. */
#include "relay/relay_api.h"

#include "relay/srtp.h"
#include "relay/state.h"
#include "relay/table.h"
#include "relay/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { COALESCING_MAX_US = 5000, MASKED_COALESCING_MAX_US = 10000, SLAB_HOLDS = 16, SLAB_QUEUES = 4 };
_Static_assert(2 * SPACING % _Alignof(struct decision) == 0, "a decision fits behind the packets");

static const struct pool KEYS_POOL = {.size = sizeof(struct stream_keys), .places = SLAB_STREAMS},
                         HOLDS_POOL = {.size = sizeof(struct hold), .places = SLAB_HOLDS},
                         QUEUES_POOL = {.size = sizeof(struct queue), .places = SLAB_QUEUES};
static const size_t BUFFER_BYTES = 2 * SPACING + sizeof(struct decision);

size_t relay_secret_bytes(size_t streams, size_t masked, size_t decoded) {
    return secret_mapped(BUFFER_BYTES) + pool_bytes(&KEYS_POOL, streams) + pool_bytes(&HOLDS_POOL, masked) +
           pool_bytes(&QUEUES_POOL, decoded);
}

static void init_locks(struct relay *relay) {
    pthread_mutexattr_t lending; /* a real-time thread that waits for a lock lends its holder its priority */
    pthread_mutexattr_init(&lending);
    pthread_mutexattr_setprotocol(&lending, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&relay->turn, &lending);
    pthread_mutex_init(&relay->lock, &lending);
    pthread_mutex_init(&relay->notices_lock, &lending);
    pthread_mutexattr_destroy(&lending);
}

static bool open_descriptors(struct relay *relay) {
    relay->epoll = epoll_create1(EPOLL_CLOEXEC);
    relay->masked = epoll_create1(EPOLL_CLOEXEC);
    relay->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    relay->notice_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = NULL};
    return relay->epoll >= 0 && relay->masked >= 0 && relay->wake_fd >= 0 && relay->notice_fd >= 0 &&
           epoll_ctl(relay->epoll, EPOLL_CTL_ADD, relay->wake_fd, &interest) == 0 &&
           relay_await_masked(relay, EPOLL_CTL_ADD) == 0;
}

struct relay *relay_new(void) {
    struct relay *relay = calloc(1, sizeof *relay);
    if (relay == NULL)
        return NULL;
    init_locks(relay);
    relay->due_ms = relay->play_due_ms = INT64_MAX;
    relay->keys = KEYS_POOL;
    relay->holds = HOLDS_POOL;
    relay->queues = QUEUES_POOL;
    relay->decoder_fd = -1;
    if (!open_descriptors(relay) || !secret_map(&relay->buffer, BUFFER_BYTES)) {
        int why = errno;
        relay_free(relay);
        errno = why;
        return NULL;
    }
    relay->decision = (struct decision *)(void *)(relay->buffer.bytes + 2 * SPACING);
    return relay;
}

int relay_start(struct relay *relay, int processor, int coalescing_us, int masked_coalescing_us) {
    if (relay->started)
        return -EALREADY;
    if (processor >= CPU_SETSIZE || coalescing_us < 0 || coalescing_us > COALESCING_MAX_US ||
        masked_coalescing_us < 0 || masked_coalescing_us > MASKED_COALESCING_MAX_US)
        return -EINVAL;
    relay->coalescing_us = coalescing_us;
    relay->masked_coalescing_us = masked_coalescing_us;
    crypto_load();
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
    int error = pthread_create(&relay->thread, &place, relay_thread, relay);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&place);
    relay->started = error == 0;
    relay->running = relay->started;
    return -error;
}

int relay_set_realtime(struct relay *relay) {
    /* Above all that is not real-time. */
    struct sched_param least = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};
    return relay->started ? -pthread_setschedparam(relay->thread, SCHED_FIFO, &least) : -ESHUTDOWN;
}

int relay_fileno(const struct relay *relay) { return relay->notice_fd; }

void relay_free(struct relay *relay) {
    if (relay->started) {
        struct command stop = {.kind = COMMAND_STOP};
        relay_run(relay, &stop);
        pthread_join(relay->thread, NULL);
    }
    relay_free_closed(relay);
    pool_free(&relay->keys);
    pool_free(&relay->holds);
    pool_free(&relay->queues);
    secret_unmap(&relay->buffer);
    int fds[] = {relay->epoll, relay->masked, relay->wake_fd, relay->notice_fd, relay->decoder_fd};
    for (int i = 0; i < 5; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    pthread_mutex_destroy(&relay->turn);
    pthread_mutex_destroy(&relay->lock);
    pthread_mutex_destroy(&relay->notices_lock);
    free(relay);
}
