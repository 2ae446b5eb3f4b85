/* The relay's lock, and its stack. */
#include "relay/lock.h"

#include "relay/state.h"

#include <pthread.h>
#include <string.h>

/* Octets: more than twice the depth of a packet; tests/unit/media/core/test_relay_stack.py looks
 * deeper. */
enum { STACK_DEPTH = 8192 };

void relay_lock(struct relay *relay) {
    pthread_mutex_lock(&relay->turn);
    pthread_mutex_lock(&relay->lock);
    pthread_mutex_unlock(&relay->turn);
}

void relay_unlock(struct relay *relay) { pthread_mutex_unlock(&relay->lock); }

__attribute__((noinline)) void relay_wipe_stack(void) {
    uint8_t below[STACK_DEPTH];
    explicit_bzero(below, sizeof below);
}
