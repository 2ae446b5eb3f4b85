/* What the parts of the relay share: _relay.c (thread and packets), _streams.c (commands), _news.c (events). */
#ifndef TONEWALL_RELAY_H
#define TONEWALL_RELAY_H

#include "_core.h"

#include <pthread.h>

enum { BUFFER = 2048, BUCKETS = 1024, SLAB_STREAMS = 64 };
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
    bool capture, announced;
    struct stream *next; /* in its bucket */
    bool waiting[EVENT_KINDS]; /* guarded by `events_lock`, as is all below */
    bool listed;
    struct stream *previous_waiting, *next_waiting;
};

struct slab {
    struct secret memory;
    struct slab *next;
};

struct relay {
    int epoll, wake, news;
    int64_t due_ms;
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

int64_t clock_ms(void);
void ring(int fd); /* make an eventfd readable */
void hush(int fd);

bool relay_one(struct relay *relay, struct endpoint *from, int64_t now_ms); /* one packet; false: none was there */

/* _news.c */
void report(struct relay *relay, struct stream *stream, enum event_kind kind);
void forget_news(struct relay *relay, struct stream *stream);
void forget_capture(struct relay *relay, struct stream *stream); /* what was said of the capture before */

/* _streams.c */
void stop_capture(struct stream *stream);
void close_stream(struct relay *relay, struct stream **at);
bool obey(struct relay *relay); /* apply the commands that wait; false after STOP */
void free_slabs(struct relay *relay);

#endif
