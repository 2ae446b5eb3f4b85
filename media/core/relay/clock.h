/* The clocks: the monotonic one, and the one on the wall. */
#ifndef TONEWALL_RELAY_CLOCK_H
#define TONEWALL_RELAY_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t clock_ms(void) { return clock_us() / 1000; }

/* Microseconds since the epoch. */
static inline int64_t clock_wall_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t clock_wall_ms(void) { return clock_wall_us() / 1000; }

#endif
