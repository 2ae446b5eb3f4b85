/* What the parts of the relay share: _relay.c (thread and packets), _streams.c (commands), _news.c (events). */
#ifndef TONEWALL_RELAY_H
#define TONEWALL_RELAY_H

#include "_core.h"

#include <pthread.h>

enum { BUFFER = 2048, BUCKETS = 1024, SLAB_STREAMS = 64, MOST_CLOSED = 64 };
enum { CALLER_RTP = 0, CALLER_RTCP = 1, AGENT_RTP = 2, AGENT_RTCP = 3, SOCKETS = 4 };

struct endpoint { /* one socket; which leg and protocol follows from `index` */
    struct stream *stream;
    int index, fd; /* -1: closed */
    struct source source;
};

struct stream {
    int64_t id;
    struct endpoint endpoints[SOCKETS];
    struct counters counters[2];
    struct mask mask;
    struct keys *keys; /* in a slab */
    bool capture, announced;
    struct stream *next; /* in its bucket, or among the closed */
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
    pthread_t thread;
    bool started;
    pthread_mutex_t turn, lock, events_lock; /* see `enter`; `lock` guards all that follows but what is waiting */
    bool running;
    int64_t due_ms;
    struct stream *buckets[BUCKETS];
    struct stream *closed; /* wiped, but the thread may still hold what epoll said of them */
    int closed_count;
    struct stream *first_waiting, *last_waiting;
    struct slab *slabs;
    struct keys **spare; /* free places in the slabs */
    size_t spares, spare_room;
    struct secret buffer;
};

int64_t clock_ms(void);
void ring(int fd); /* make an eventfd readable */
void hush(int fd);

void enter(struct relay *relay); /* whoever waited longest comes next: neither packets nor commands starve the other */
void leave(struct relay *relay);
bool relay_one(struct relay *relay, struct endpoint *from, int64_t now_ms); /* one packet; false: none was there */

/* _news.c */
void report(struct relay *relay, struct stream *stream, enum event_kind kind);
void forget_news(struct relay *relay, struct stream *stream);
void forget_capture(struct relay *relay, struct stream *stream); /* what was said of the capture before */

/* _streams.c */
void stop_capture(struct stream *stream);
void close_stream(struct relay *relay, struct stream **at);
void free_closed(struct relay *relay);
void free_slabs(struct relay *relay);

#endif
