/* The media thread. */
#ifndef TONEWALL_RELAY_THREAD_H
#define TONEWALL_RELAY_THREAD_H

struct relay;

/* The body of the thread, for pthread_create(3): relays until a command stops it. `relay`: a struct
 * relay. */
void *relay_thread(void *relay);
/* Has epoll say once that a masked stream has packets. `change`: EPOLL_CTL_ADD or EPOLL_CTL_MOD. 0,
 * or -1 with errno set. */
int relay_await_masked(struct relay *relay, int change);

#endif
