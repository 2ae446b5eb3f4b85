/* Takes the locks out of a core: a race that ThreadSanitizer has to find in the tests of the relay,
 * or it would find none. */
#include <pthread.h>

static inline int held_by_nobody(pthread_mutex_t *mutex) {
    (void)mutex;
    return 0;
}

#define pthread_mutex_lock held_by_nobody
#define pthread_mutex_unlock held_by_nobody
