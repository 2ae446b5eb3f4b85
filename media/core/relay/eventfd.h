/* eventfd(2), as a flag. */
#ifndef TONEWALL_RELAY_EVENTFD_H
#define TONEWALL_RELAY_EVENTFD_H

#include <stdint.h>
#include <unistd.h>

/* Makes it readable. */
static inline void eventfd_signal(int fd) {
    uint64_t one = 1;
    ssize_t ignored = write(fd, &one, sizeof one); /* fails only if it is readable already */
    (void)ignored;
}

/* Makes it unreadable. */
static inline void eventfd_drain(int fd) {
    uint64_t count;
    ssize_t ignored = read(fd, &count, sizeof count); /* fails only if it is unreadable already */
    (void)ignored;
}

#endif
