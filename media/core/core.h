/* The media core, part by part; every decision here has its twin in pure Python beside it. */
#ifndef TONEWALL_CORE_H
#define TONEWALL_CORE_H

#include "mask/hold.h"
#include "mask/queue.h"
#include "relay/srtp.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* --- rtp/rtp.c, rtp/sequence.c, dtmf/reassembly.c, rtp/red.c, rtp/rtcp_report.c, dtmf/event_sender.c, mask/mask.c: what passes, what it leaves as, what was keyed ------------------- */

enum { TRACKS = 4, PRESSES = 8, KEYS = 32 };
enum { KEY_HOLD_MS = 100, KEY_LOST = 16 }; /* KEY_LOST: in place of a code, a key that nobody can tell */
/* In the order in which one counts, where a type is listed as several. TYPE_AUDIO: not looked into; TYPE_OPAQUE: cannot be;
 * TYPE_DECODED: by the decoder process alone. */
enum type_kind { TYPE_UNKNOWN, TYPE_AUDIO, TYPE_MU, TYPE_A, TYPE_G722, TYPE_DECODED, TYPE_RED, TYPE_OPAQUE, TYPE_EVENT, TYPE_KINDS };
enum verdict { FORWARD, WITHHELD, MALFORMED, HELD, ASK }; /* HELD: see hold_next; ASK: see decoder_ask */

struct rtp {
    uint8_t type;
    bool marker;
    uint16_t seq;
    uint32_t timestamp, ssrc;
    size_t start, end; /* of the payload, without padding */
};

struct track { /* the sequence numbers of one SSRC (media/reference/sequence.py) */
    bool used, probing, probe_withheld;
    uint16_t highest, probe;
    int32_t shift;
    uint32_t ssrc, packets, octets; /* the last two: what the sender counts and what did not leave */
    uint64_t withheld; /* bit i: `highest - i` was withheld */
    uint64_t used_at;
};

struct press { /* one event, without its code: what was keyed is not to be found here (media/reference/reassembly.py) */
    bool used, ended, withheld, doubted; /* `doubted`: a recording may have begun again, at `doubt` */
    uint16_t duration, first, newest, doubt; /* the last three: sequence numbers */
    uint32_t ssrc, timestamp, span;
    int64_t last_ms;
};

struct suspect { /* what may be the first packet of an event under a wrong type (media/reference/masking.py) */
    bool used;
    uint16_t seq;
    uint32_t ssrc, timestamp;
    int64_t at_ms;
};

struct reach { /* whether redundancy reaches back to what was masked (media/reference/red.py) */
    bool masked, known;
    uint32_t ssrc, ended;
};

enum { WAITING = 8, EVENT_PACKET = 16 };

struct outgoing { /* a key to send as telephone-event; `clock` in Hz */
    uint8_t code, type;
    int duration_ms, clock;
};

struct sender { /* dtmf/event_sender.c (media/reference/event_sender.py) */
    struct outgoing waiting[WAITING];
    int count, step, ends;
    bool follows; /* there is audio: the next three are of its newest packet */
    uint32_t ssrc, timestamp;
    int64_t at_ms, due_ms;
    uint32_t own, event_ssrc, event_timestamp; /* SSRC of our own stream; of the key that is being sent */
};

struct mask {
    uint8_t kinds[128], codecs[128];
    bool types_known, has_decoded, on, shut; /* `shut`: something got through; nothing leaves until the mask goes off */
    bool drops_events; /* the agent's side has agreed on none: none leaves, masked or not */
    bool keyed; /* while masked: an event came, or a tone that the decoder process heard, the last at `keyed_ms` */
    int64_t keyed_ms;
    struct hold *hold; /* while masked; NULL where there is no memory for it: then no audio leaves */
    uint64_t clock;
    struct track tracks[TRACKS];
    struct press presses[PRESSES];
    uint8_t *codes; /* of each press, plus one; in secret memory. 0, NULL: not known */
    struct suspect suspect;
    struct reach reach;
    struct sender sender;
    struct gap gap; /* while masked */
};

struct pressed { /* a press that a packet begins */
    uint8_t code;
    uint32_t timestamp;
};

struct decision { /* of what the relay hears: lives in secret memory only */
    enum verdict verdict;
    int count;
    struct pressed pressed[KEYS + 1]; /* one more than there is ever room for */
    uint32_t ssrc;                    /* of those presses */
    enum codec codec;                 /* where the verdict is ASK */
    struct filling filling;           /* what leaves before it, or in its place */
    bool opens_window;                /* while masked: an event, whatever its type says */
    uint8_t *bytes; /* what leaves: within the buffer that was given */
    size_t length;
};

struct key { /* lives in secret memory only */
    int64_t seen_ms;
    uint32_t ssrc, timestamp;
    uint8_t code;
};

struct keys { /* lives in secret memory only */
    int count;
    bool any_taken;
    struct key taken; /* the newest, without its code */
    struct key held[KEYS];
    uint8_t codes[PRESSES]; /* see `struct mask` */
};

bool rtp_parse(const uint8_t *packet, size_t length, struct rtp *out);
bool rtp_is_rtcp(const struct rtp *rtp); /* RTCP on the RTP port */
bool rtcp_is(const uint8_t *packet, size_t length);
/* How many bytes of a compound are its leading reports; 0: none, or it is malformed. */
size_t rtcp_reports(const uint8_t *packet, size_t length);
/* What the peer that sent this RTCP says of what it receives; false: nothing. */
bool rtcp_reception(const uint8_t *packet, size_t length, uint64_t *lost, uint64_t *jitter);
struct type_list {
    const uint8_t *types;
    size_t count;
};
/* Of TYPE_DECODED the list has pairs: a type and its codec. */
void mask_types(struct mask *mask, const struct type_list lists[TYPE_KINDS]);
void decision_begin(struct decision *decision, uint8_t *packet, size_t length); /* the packet leaves as it came */
void decision_wipe(struct decision *decision);
/* `packet` may be rewritten in place. Decisions are written where the caller says: a key that was returned would be copied about. */
void mask_rtp(struct mask *mask, uint8_t *packet, size_t length, int64_t now_ms, struct decision *decision);
/* Whether what is to leave while masked holds a key, as an event or a tone; then the mask is shut. */
bool mask_leaks(struct mask *mask, const uint8_t *packet, size_t length);
void mask_key(struct mask *mask, int64_t now_ms); /* a key came while masked */
/* Whether no key has come for so long, as an event or a tone. */
bool mask_is_quiet(const struct mask *mask, int64_t now_ms, int64_t quiet_ms);
void mask_rtcp(const struct mask *mask, uint8_t *packet, size_t length, struct decision *decision);
void mask_rtcp_back(const struct mask *mask, uint8_t *packet, size_t length, struct decision *decision); /* from agent to customer */
void sender_follow(struct sender *sender, const struct rtp *rtp, int64_t now_ms);
void sender_forget(struct sender *sender);
/* `own`: the SSRC where there is no audio. False: too many wait, or it is masked. */
bool sender_put(struct mask *mask, const struct outgoing *key, uint32_t own, int64_t now_ms);
int64_t sender_due_ms(const struct sender *sender);
/* The packet that leaves now; 0: none. */
size_t sender_next(struct mask *mask, int64_t now_ms, uint8_t out[EVENT_PACKET]);
bool keys_put(struct keys *keys, int code, uint32_t ssrc, uint32_t timestamp, int64_t now_ms);
int keys_ripe(const struct keys *keys, int64_t now_ms);
int keys_take(struct keys *keys, int64_t now_ms, uint8_t *into, size_t room);

/* --- dtmf/sip_info.c: the key in a SIP INFO (media/reference/sip_info.py) ----------------------------------------------------------------- */

enum { INFO_LONGEST = 256, INFO_NO_KEY = -1, INFO_MALFORMED = -2 };
enum { INFO_DIGITS = 6, INFO_SHORTEST_MS = 40, INFO_USUAL_MS = 160, INFO_LONGEST_MS = 5000 };
int info_key(const uint8_t *body, size_t length);      /* 0 to 15, or INFO_NO_KEY, INFO_MALFORMED */
int info_duration(const uint8_t *body, size_t length); /* in ms, of one of at most INFO_LONGEST */

/* --- rtp/source.c: who may speak for a leg (media/reference/source.py) ----------------------------------------------------------- */

struct source {
    bool present, latch, locked;
    struct sockaddr_storage signalled; /* what the SDP said */
    struct sockaddr_storage current;   /* where packets come from and go to */
    int64_t locked_ms;
};

enum { EXACT_GRACE_MS = 2000 }; /* for which the address of the SDP itself takes the place of another of its network */

bool source_parse(const char *address, int port, struct sockaddr_storage *out);
bool source_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
socklen_t source_length(const struct sockaddr_storage *address);
bool source_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
void source_set(struct source *source, const struct sockaddr_storage *signalled, bool present, bool latch);
/* `paired`: the leg's RTP source when `source` is its RTCP source, else NULL. */
bool source_admits(struct source *source, const struct source *paired, const struct sockaddr_storage *from, bool valid,
                   int64_t now_ms);
/* Whether only a good packet from there would be admitted, and be locked. */
bool source_waits(const struct source *source, const struct sockaddr_storage *from, int64_t now_ms);

/* --- memory/secret.c: locked memory ---------------------------------------------------------------------------------------- */

struct secret {
    uint8_t *bytes;
    size_t size, mapped;
    const char *kind;
    int owner; /* pid: a child does not inherit the pages */
};

size_t secret_mapped(size_t size);                          /* bytes of whole pages */
bool secret_map(struct secret *secret, size_t size); /* false: errno is set */
void secret_wipe(struct secret *secret);
void secret_unmap(struct secret *secret);

/* --- memory/seccomp.c: what the decoder process may ask of the kernel --------------------------------------------------------- */

int seccomp_confine(void); /* all threads, for good. 0 or -errno */

/* --- relay/forward.c, relay/thread.c, relay/commands.c: the thread ---------------------------------------------------------------------- */

enum leg { CALLER = 0, AGENT = 1 };
enum event_kind { KEYED = 1, OVERFLOW = 2, LEAKED = 3, EVENT_KINDS = 4 };

struct counters {
    uint64_t received, sent, masked, strangers, malformed;
    uint64_t reports, lost, jitter; /* of the peer's RTCP; see media/formats/rtp.py, `Reception` */
    uint64_t expected, missing, arrival_jitter; /* of the peer's own stream; the last in microseconds; see media/reference/quality.py */
};

struct arrivals { /* rtp/quality.c (media/reference/quality.py) */
    bool bound, jumped, measured;
    uint16_t bad;
    uint32_t ssrc, timestamp, transit, jitter;
    int clock;
    uint64_t came, before, base, highest;
};

enum { MOST_CLOCK = 1000000 };
/* `clock`: of the rtp_timestamps, in Hz; 0: not measured. */
void arrivals_take(struct arrivals *arrivals, const struct rtp *rtp, int clock, int64_t now_ms, bool audio);
void arrivals_tell(const struct arrivals *arrivals, struct counters *counters);

enum { PAYLOAD_TYPES = 128 };

struct arrived { /* what came of one leg's peer, and what else came to its ports */
    uint64_t unproved; /* packets whose SRTP does not prove them */
    uint64_t types[PAYLOAD_TYPES]; /* packets of each payload type */
    bool has_stranger;
    struct sockaddr_storage stranger; /* the newest */
};

struct event {
    int64_t stream;
    int kind;
};

enum command_kind {
    OPEN_STREAM, SET_PEER, SET_CRYPTO, SET_TYPES, SET_MASK, IS_QUIET, SET_CAPTURE, SEND_KEY, SET_DECODER, HAS_DECODER, TAKE_DIGITS, COUNTERS, ARRIVED, CLOSE_STREAM, STOP
};

struct command {
    enum command_kind kind;
    int64_t stream;
    int fds[4];
    int leg;
    struct sockaddr_storage rtp, rtcp;
    bool has_rtp, has_rtcp, on;
    struct type_list types[TYPE_KINDS];
    struct manner manner;
    struct outgoing key;
    int clock, quiet_ms;
    struct crypto_keys keys; /* `suite` NULL: in clear */
    uint8_t *into;
    size_t room;
    struct counters counters[2];
    struct arrived *arrived; /* of both legs */
    int result; /* how many, or -errno */
};

struct relay;
struct relay *relay_new(void);        /* NULL: errno is set */
/* Bytes of secret memory that a relay maps for so many streams, so many of them masked, so many masked in a codec that the
 * decoder process hears. */
size_t relay_secret_bytes(size_t streams, size_t masked, size_t decoded);
/* `processor`: which its thread keeps to; -1: any. How long packets may wait for others: `gather_us`; those of a masked stream,
 * `masked_gather_us`. 0 or -errno */
int relay_start(struct relay *relay, int processor, int gather_us, int masked_gather_us);
int relay_go_first(struct relay *relay); /* before all that is not real-time. 0 or -errno */
void relay_run(struct relay *relay, struct command *command);
int relay_fileno(const struct relay *relay);
bool relay_running(struct relay *relay);
/* Clear up to `room` waiting events into `out`; the descriptor stays readable while there are more. */
int relay_take_events(struct relay *relay, struct event *out, int room);
void relay_free(struct relay *relay); /* stops it first */

#endif
