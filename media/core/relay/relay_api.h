/* The relay as Python sees it: streams, the commands that change them, and the figures of
 * both. */
#ifndef TONEWALL_RELAY_RELAY_API_H
#define TONEWALL_RELAY_RELAY_API_H

#include "dtmf/agent_keys.h"
#include "dtmf/event_sender.h"
#include "dtmf/notice.h"
#include "mask/hold.h"
#include "mask/mask.h"
#include "mask/payload_types.h"
#include "mask/tally.h"
#include "prompt/player.h"
#include "relay/srtp.h"
#include "relay/tap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct slot;

enum leg { CALLER = 0, AGENT = 1, LEGS = 2 };

enum { CLOCK_MAX = 1000000 }; /* Hz, of rtp_timestamps */

/* Of one leg, RTP and RTCP together. */
struct counters {
    uint64_t received, sent, masked, foreign_source, malformed;
    uint64_t reports, lost, jitter; /* of the peer's RTCP; see media/formats/rtp.py, `Reception` */
    uint64_t expected, missing, arrival_jitter; /* of the peer's own stream; the last in microseconds */
};

/* Packets of one leg's peer, and of others to its ports. */
struct arrived {
    uint64_t unproved; /* packets that do not authenticate (RFC 3711) */
    uint64_t types[PAYLOAD_TYPES]; /* packets of each payload type */
    bool has_stranger;
    struct sockaddr_storage stranger; /* the newest */
};

enum command_kind {
    COMMAND_OPEN_STREAM,
    COMMAND_ADOPT_STREAM,
    COMMAND_RESUME_STREAM,
    COMMAND_SET_PEER,
    COMMAND_SET_CRYPTO,
    COMMAND_SET_TYPES,
    COMMAND_SET_MASK,
    COMMAND_IS_QUIET,
    COMMAND_SET_CAPTURE,
    COMMAND_SET_SLOW,
    COMMAND_KEY_FIGURES,
    COMMAND_TALLY,
    COMMAND_SEND_KEY,
    COMMAND_SET_DECODER,
    COMMAND_HAS_DECODER,
    COMMAND_PLAY,
    COMMAND_STOP_PLAY,
    COMMAND_PLAYED,
    COMMAND_BARGE_IN,
    COMMAND_DEPARTED_TYPE,
    COMMAND_TAKE_DIGITS,
    COMMAND_SET_AGENT_KEYS,
    COMMAND_AGENT_KEY,
    COMMAND_TAKE_CODE,
    COMMAND_COUNTERS,
    COMMAND_ARRIVED,
    COMMAND_SET_TAP,
    COMMAND_READ_TAP,
    COMMAND_CLOSE_STREAM,
    COMMAND_STOP
};

/* A command with its arguments and its result; which of them count follows from `kind` (see
 * media/_core.pyi). */
struct command {
    enum command_kind kind;
    int64_t stream;
    int fds[4]; /* become the relay's where the command succeeds */
    struct slot *slot; /* of COMMAND_OPEN_STREAM and COMMAND_ADOPT_STREAM: as `fds` */
    int leg;
    struct sockaddr_storage rtp, rtcp;
    bool has_rtp, has_rtcp, on;
    bool drops_events[LEGS]; /* of COMMAND_SET_TYPES: that would leave for this leg */
    struct type_list types[TYPE_KINDS];
    struct mask_options options;
    struct outgoing_key key; /* of COMMAND_SEND_KEY; of COMMAND_AGENT_KEY its code alone */
    uint8_t code[CODE_MAX]; /* of COMMAND_TAKE_CODE: `result` digits */
    int clock, quiet_ms;
    struct crypto_keys keys; /* `suite` NULL: in clear */
    const struct play *play; /* whose recordings become the relay's where the command succeeds */
    int64_t played; /* the number of the newest play */
    struct key_figures figures;
    bool doubled; /* each key comes twice */
    struct tally tally;
    uint8_t *into; /* secret memory */
    size_t room;
    struct counters counters[LEGS];
    struct arrived *arrived; /* of both legs */
    struct tap_record *records; /* of COMMAND_READ_TAP: room for TAP_RECORDS */
    uint64_t dropped; /* the records that had no room */
    int result; /* how many, or -errno */
};

struct relay;

/* A relay without streams, whose thread does not run yet. NULL: errno is set. */
struct relay *relay_new(void);
/* Bytes of secret memory that a relay maps for so many streams, so many of them masked, so many
 * masked in a codec that the decoder process decodes. */
size_t relay_secret_bytes(size_t streams, size_t masked, size_t decoded);
/* Starts the thread. `processor`: to which it keeps; -1: any. `coalescing_us`: microseconds that
 * packets may wait for others; `masked_coalescing_us`: the same of masked streams. 0 or -errno. */
int relay_start(struct relay *relay, int processor, int coalescing_us, int masked_coalescing_us);
/* Gives the thread a real-time priority (SCHED_FIFO). 0 or -errno. */
int relay_set_realtime(struct relay *relay);
/* Applies a command between two packets, on the calling thread: once it returns, every packet meets
 * its effect. */
void relay_run(struct relay *relay, struct command *command);
/* An eventfd that is readable while there are notices. Belongs to the relay. */
int relay_fileno(const struct relay *relay);
/* Moves at most `room` notices to `out`; the descriptor stays readable while there are more.
 * Returns how many. */
int relay_take_notices(struct relay *relay, struct notice *out, int room);
/* Stops the thread, wipes and frees all. */
void relay_free(struct relay *relay);

#endif
