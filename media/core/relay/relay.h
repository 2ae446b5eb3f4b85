/* What the parts of the relay share: relay/thread.c (the thread), relay/forward.c (packets), relay/commands.c (commands), relay/events.c (events). */
#ifndef TONEWALL_RELAY_H
#define TONEWALL_RELAY_H

#include "core.h"

#include <pthread.h>

enum { BUFFER = 2048, SPACING = BUFFER + SRTP_ROOM, BUCKETS = 1024, SLAB_STREAMS = 64, MOST_CLOSED = 64 };
enum { CALLER_RTP = 0, CALLER_RTCP = 1, AGENT_RTP = 2, AGENT_RTCP = 3, SOCKETS = 4 };

struct endpoint { /* one socket; which leg and protocol follows from `index` */
    struct stream *stream;
    int index, fd; /* -1: closed */
    int set;       /* of `relay`, `epoll` or `masked`: where the thread looks for its packets */
    struct source source;
};

struct stream {
    int64_t id;
    struct endpoint endpoints[SOCKETS];
    struct counters counters[2];
    struct arrivals arrivals[2];
    struct arrived arrived[2];
    int clock; /* of the audio, in Hz */
    bool muxed[2]; /* of each leg: RTCP on the RTP port (RFC 5761) */
    struct crypto *crypto[2]; /* of each leg; NULL: in clear */
    struct mask mask;
    struct keys *keys; /* of a pool, as are `mask.hold` and `queue` */
    bool listened_to; /* the decoder process knows of it, and is to forget it when the mask goes off */
    int64_t shut_until_ms; /* of what that process listens to: the window of an event */
    struct queue *queue; /* while masked, of codecs that the core cannot decode; NULL: nothing came */
    bool capture, announced;
    struct stream *next; /* in its bucket, or among the closed */
    bool waiting[EVENT_KINDS]; /* guarded by `events_lock`, as is all below */
    bool listed;
    struct stream *previous_waiting, *next_waiting;
};

/* Places of one size in slabs of secret memory. */
struct pool {
    size_t size; /* of a place */
    int places;  /* in a slab */
    struct slab *slabs;
    void **spare;
    size_t spares, room;
};

struct relay {
    uint32_t asked; /* the serial of what the decoder process was asked last */
    int epoll, masked; /* `masked`: the sockets of masked streams, a set within the other */
    int wake, news, decoder; /* `decoder` -1: there is none */
    pthread_t thread;
    bool started;
    int gather_us, masked_gather_us;
    pthread_mutex_t turn, lock, events_lock; /* see `enter`; `lock` guards all that follows but what is waiting */
    bool running;
    int64_t due_ms;
    struct stream *buckets[BUCKETS];
    struct stream *closed; /* wiped, but the thread may still hold what epoll said of them */
    int closed_count;
    struct stream *first_waiting, *last_waiting;
    struct pool keys, holds, queues;
    struct secret buffer; /* a packet that came, one that leaves, and what was decided of the first */
    struct decision *decision;
    bool stack_is_secret; /* keys may have been on the stack */
};

int64_t clock_ms(void);
void ring(int fd); /* make an eventfd readable */
void hush(int fd);

void enter(struct relay *relay); /* whoever waited longest comes next: neither packets nor commands starve the other */
void leave(struct relay *relay);
void wipe_stack(void); /* below the caller: what those that it called have left behind */
/* Send what the hold of a stream lets go; when it is due if nothing more comes. */
void release(struct relay *relay, struct stream *stream, bool all_of_it);
void tend(struct relay *relay, int64_t now_ms); /* what is due */
bool relay_one(struct relay *relay, struct endpoint *from, int64_t now_ms); /* one packet; false: none was there */

/* relay/events.c */
void report(struct relay *relay, struct stream *stream, enum event_kind kind);
void forget_news(struct relay *relay, struct stream *stream);
void forget_capture(struct relay *relay, struct stream *stream); /* what was said of the capture before */

/* relay/decoder.c */
void decoder_set(struct relay *relay, int fd); /* -1: none */
/* Have a packet listened to; false: it does not leave. */
bool decoder_ask(struct relay *relay, struct stream *stream, enum codec codec, const uint8_t *packet, size_t length,
                 int64_t now_ms);
void decoder_event(struct relay *relay, struct stream *stream, int64_t now_ms); /* an event came: audio is shut for a while */
void decoder_fill(struct relay *relay, struct stream *stream, struct filling *filling, int64_t now_ms); /* what leaves for it */
/* What leaves is listened to once more: the canary of codecs that the core cannot look into. */
void decoder_left(struct relay *relay, struct stream *stream, enum codec codec, const uint8_t *packet, size_t length);
void decoder_forget(struct relay *relay, struct stream *stream);
void decoder_hear(struct relay *relay); /* its answers */

/* relay/commands.c */
struct stream **find_stream(struct relay *relay, int64_t id); /* where it stands in its bucket: *at is NULL where there is none */
void stop_capture(struct stream *stream);
void close_stream(struct relay *relay, struct stream **at);
void free_closed(struct relay *relay);

/* memory/pool.c */
void *pool_borrow(struct pool *pool); /* NULL: errno is set */
void pool_give_back(struct pool *pool, void *place); /* wiped */
void pool_free(struct pool *pool);
size_t pool_bytes(const struct pool *pool, size_t places); /* what so many places map */

#endif
