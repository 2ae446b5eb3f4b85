/* The state of the relay: sockets, streams, the thread. */
#ifndef TONEWALL_RELAY_STATE_H
#define TONEWALL_RELAY_STATE_H

#include "dtmf/agent_keys.h"
#include "dtmf/keys.h"
#include "mask/decision.h"
#include "mask/queue.h"
#include "mask/state.h"
#include "memory/pool.h"
#include "memory/secret.h"
#include "prompt/player.h"
#include "relay/relay_api.h"
#include "relay/slot.h"
#include "relay/srtp.h"
#include "relay/tap.h"
#include "rtp/source.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* BUFFER: octets of a packet that is read; SPACING: from one buffer to the next. SLAB_STREAMS:
 * streams whose keys share a slab. */
enum { BUFFER = 2048, SPACING = BUFFER + SRTP_ROOM, BUCKETS = 1024, SLAB_STREAMS = 64, CLOSED_MAX = 64 };

/* The sockets of a stream: two a leg. */
enum { CALLER_RTP = 0, CALLER_RTCP = 1, AGENT_RTP = 2, AGENT_RTCP = 3, SOCKETS = 4 };
static inline int socket_of(int leg, bool is_rtp) { return 2 * leg + !is_rtp; }
static inline int socket_leg(int index) { return index / 2; }
static inline bool socket_is_rtp(int index) { return index % 2 == 0; }

/* One socket and the peer behind it. */
struct endpoint {
    struct stream *stream;
    int index, fd; /* the latter owned; -1: closed */
    int set; /* `epoll` or `masked` of the relay: where the thread looks for its packets; -1: nowhere */
    struct source source;
};

/* What a stream keeps of keys. Lives in secret memory only. */
struct stream_keys {
    struct keys customer; /* first: `keys` of the stream points to it */
    struct agent_code agent;
};

/* One m-line of a call, between the caller's leg and the agent's. */
struct stream {
    int64_t id;
    struct slot *slot; /* owned: what a successor has to know, the figures among it */
    bool is_resumed; /* its packets are read */
    struct endpoint endpoints[SOCKETS];
    int clock; /* of the audio, in Hz; 0: not measured */
    bool muxed[LEGS]; /* RTCP on the RTP port (RFC 5761) */
    struct crypto *crypto[LEGS]; /* owned; NULL: in clear */
    struct crypto *paused[LEGS]; /* owned; what `crypto` was, while the leg is in clear */
    bool drops_agent_events; /* the customer's side has agreed on no telephone-event: none leaves */
    struct mask mask;
    struct keys *keys; /* of a pool (`stream_keys`), as are `mask.hold` and `queue` */
    struct agent_keys agent_keys;
    /* The decoder process holds state of it, which it is to forget when the mask goes off. */
    bool decoder_knows;
    int64_t decoder_shut_ms; /* until then that process's answers do not open: the window of an event */
    struct queue *queue; /* while masked, of codecs that the core does not decode; NULL: nothing came */
    bool capture, announced; /* keys are kept; KEYED was notified */
    int64_t passed_ms; /* when PASSED was notified last */
    struct tap *tap; /* owned; NULL: nobody records the headers of its packets */
    struct player *players[LEGS]; /* owned; NULL: nothing was ever played into that leg */
    bool plays; /* listed with `next_playing` */
    struct stream *next_playing;
    struct stream *next; /* in its bucket, or among the closed */
    bool noticed[NOTICE_KINDS]; /* guarded by `notices_lock`, as is all below */
    bool listed;
    struct stream *previous_noticed, *next_noticed;
};

struct relay {
    uint32_t serial; /* of the packet that the decoder process was asked about last */
    int epoll, masked; /* `masked`: the sockets of masked streams, a set within the other */
    int wake_fd, notice_fd; /* eventfds */
    int decoder_fd; /* -1: there is none */
    pthread_t thread;
    bool started;
    int coalescing_us, masked_coalescing_us;
    pthread_mutex_t turn, lock; /* see `relay_lock`; `lock` guards all that follows */
    pthread_mutex_t notices_lock; /* guards the notices alone; may be taken with `lock`, never before it */
    bool running;
    int64_t due_ms; /* when `relay_timers` has work; INT64_MAX: never */
    int64_t play_due_ms; /* the same of `relay_play_due` */
    struct stream *playing; /* the first of those into which something is played */
    struct stream *buckets[BUCKETS];
    struct stream *closed; /* wiped, but epoll may still have named them to the thread */
    int closed_count;
    struct stream *first_noticed, *last_noticed; /* guarded by `notices_lock` */
    struct pool keys, holds, queues;
    /* A packet that came, one that leaves, and the decision about the first. */
    struct secret buffer;
    struct decision *decision; /* within `buffer` */
    bool stack_is_secret; /* keys may have been on the stack */
};

#endif
