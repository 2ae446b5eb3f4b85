/* One stream of the relay on real sockets, without its thread: packets from both sides, commands
 * and answers of the decoder.
 *
 * Rule 1: while masked nothing comes to the agent that is an event or redundancy by its type.
 * Rule 2: no packet is longer than was read.
 * Rule 3: whatever a killed process has left, its successor masks what was masked.
 * Rule 4: a code of the agent's has digits alone, as many as it may have. */
#include "harness.h"

#include "relay/clock.h"
#include "relay/forward.h"
#include "relay/lock.h"
#include "relay/playing.h"
#include "relay/relay_api.h"
#include "relay/state.h"
#include "relay/table.h"
#include "relay/timers.h"
#include "rtp/rtp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

enum { STREAM = 5, ROOM = BUFFER + 64, STEPS = 200, EVENTS = 101, GSM = 3, RED = 121, ANSWER = 13 };

struct rig {
    struct relay *relay;
    int ours[SOCKETS], peers[SOCKETS], decoder;
    struct sockaddr_storage at[SOCKETS];
    bool on;
};

static int bound(struct sockaddr_storage *at) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    MUST(fd >= 0 && bind(fd, (struct sockaddr *)&here, size) == 0 &&
         getsockname(fd, (struct sockaddr *)at, &size) == 0);
    return fd;
}

static int command(struct rig *rig, struct command command) {
    command.stream = STREAM;
    relay_run(rig->relay, &command);
    return command.result;
}

static void set_types(struct rig *rig, uint8_t chance) {
    static const uint8_t decoded[] = {GSM, CODEC_GSM, 18, CODEC_G729, 111, CODEC_OPUS, 96, CODEC_AMR},
                         event[] = {EVENTS};
    static const uint8_t mu[] = {0}, a[] = {8}, g722[] = {9}, red[] = {RED};
    struct command given = {.kind = COMMAND_SET_TYPES, .clock = 8000};
    if (chance % 4 != 0) {
        given.types[TYPE_EVENT] = (struct type_list){event, 1};
        given.types[TYPE_MU] = (struct type_list){mu, 1};
        given.types[TYPE_A] = (struct type_list){a, 1};
        given.types[TYPE_G722] = (struct type_list){g722, 1};
        given.types[TYPE_RED] = (struct type_list){red, 1};
        given.types[TYPE_DECODED] = (struct type_list){decoded, sizeof decoded};
    }
    MUST(command(rig, given) == 0);
}

static void set_peers(struct rig *rig, struct script *script) {
    uint8_t how = script_byte(script);
    static const uint8_t key[30] = {1, 2, 3};
    for (int leg = CALLER; leg <= AGENT; leg++) {
        MUST(command(rig, (struct command){.kind = COMMAND_SET_PEER,
                                           .leg = leg,
                                           .rtp = rig->at[2 * leg],
                                           .rtcp = rig->at[2 * leg + (how & 1)],
                                           .has_rtp = true,
                                           .has_rtcp = true,
                                           .on = how & 2}) == 0);
        struct crypto_keys keys = {.suite = how & 4 << leg ? "AES_CM_128_HMAC_SHA1_80" : NULL,
                                   .in = key,
                                   .in_length = 30,
                                   .out = key,
                                   .out_length = 30};
        int error = command(rig, (struct command){.kind = COMMAND_SET_CRYPTO, .leg = leg, .keys = keys});
        MUST(error == 0 || error == -EKEYREJECTED); /* the latter of a successor alone */
    }
}

static struct rig begun(void) {
    struct rig rig = {.relay = relay_new()};
    struct command open = {.kind = COMMAND_OPEN_STREAM, .slot = slot_map(-1, 0)};
    int pair[2];
    MUST(rig.relay != NULL && open.slot != NULL && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    rig.relay->running = true; /* and nothing but this thread runs it */
    for (int i = 0; i < SOCKETS; i++) {
        struct sockaddr_storage own;
        open.fds[i] = rig.ours[i] = bound(&own);
        rig.peers[i] = bound(&rig.at[i]);
        MUST(connect(rig.peers[i], (struct sockaddr *)&own, sizeof(struct sockaddr_in)) == 0);
    }
    MUST(command(&rig, open) == 0 &&
         command(&rig, (struct command){.kind = COMMAND_SET_DECODER, .fds = {pair[0]}}) == 0);
    rig.decoder = pair[1];
    set_types(&rig, 1);
    set_peers(&rig, &(struct script){NULL, NULL});
    return rig;
}

static void hear(struct rig *rig) {
    uint8_t packet[ROOM];
    for (int i = 0; i < SOCKETS; i++)
        for (ssize_t got; (got = recv(rig->peers[i], packet, sizeof packet, MSG_DONTWAIT)) >= 0;) {
            struct rtp rtp;
            MUST(got <= BUFFER + SRTP_ROOM);
            if (rig->on && i == AGENT_RTP &&
                (*relay_find_stream(rig->relay, STREAM))->crypto[AGENT] == NULL &&
                rtp_parse(packet, (size_t)got, &rtp))
                MUST(rtp.type != EVENTS && rtp.type != RED);
        }
    while (recv(rig->decoder, packet, sizeof packet, MSG_DONTWAIT) > 0)
        ;
}

static void say(struct rig *rig, struct script *script, uint8_t from) {
    static const size_t LONG[] = {0,    4,      12,         16,  45, 172, 1292, 1398,
                                  1662, BUFFER, BUFFER + 1, 200, 52, 92,  33,   300};
    uint8_t form = script_byte(script);
    size_t length = form & 0x40 ? script_byte(script) : LONG[form % 16], given = length < 80 ? length : 80;
    uint8_t *packet = script_bytes(script, given);
    packet = realloc(packet, length > 0 ? length : 1);
    MUST(packet != NULL);
    for (size_t i = given; i < length; i++)
        packet[i] = packet[given - 1 - i % 16];
    if (form & 0x80 && length >= RTP_HEADER)
        packet[0] = 0x80;
    (void)!send(rig->peers[from % SOCKETS], packet, length, MSG_DONTWAIT);
    free(packet);
    struct stream *stream = *relay_find_stream(rig->relay, STREAM);
    relay_lock(rig->relay);
    for (int i = 0; i < SOCKETS; i++)
        while (relay_one(rig->relay, &stream->endpoints[i], clock_ms()))
            ;
    relay_unlock(rig->relay);
}

static void answer(struct rig *rig, struct script *script) {
    uint8_t message[ANSWER] = {STREAM};
    message[8] = (uint8_t)(rig->relay->serial - script_byte(script) % 8);
    message[12] = script_byte(script) % 4;
    (void)!send(rig->decoder, message, sizeof message - (message[12] == 3), MSG_DONTWAIT);
    relay_lock(rig->relay);
    relay_take_answers(rig->relay);
    relay_unlock(rig->relay);
}

static void turn(struct rig *rig, struct script *script) {
    uint8_t how = script_byte(script);
    struct mask_options options = {.policy = (enum policy)(how % 3),
                                   .guard = how & 4 ? GUARD : 0,
                                   .tones = how & 8,
                                   .placeholder = how & 16};
    hear(rig);
    rig->on = how & 32;
    MUST(command(rig, (struct command){.kind = COMMAND_SET_MASK, .on = rig->on, .options = options}) == 0);
    if (!rig->on)
        hear(rig);
}

static void key(struct rig *rig, struct script *script) {
    struct outgoing_key key = {
        .code = script_byte(script) % 16, .type = EVENTS, .duration_ms = 40, .clock = 8000};
    uint8_t digits[KEYS];
    int taken = command(rig, (struct command){.kind = COMMAND_TAKE_DIGITS,
                                              .into = digits,
                                              .room = script_byte(script) % (KEYS + 1)});
    MUST(taken >= 0 && taken <= KEYS &&
         command(rig, (struct command){.kind = COMMAND_SEND_KEY, .key = key}) >= 0);
}

/* Prompts, and what stops them. */
static void play(struct rig *rig, struct script *script) {
    static const uint8_t octets[512] = {0}, TYPES[] = {0, 8, 9, 13};
    uint8_t how = script_byte(script), coding = how & 3;
    struct command asked = {.kind = COMMAND_STOP_PLAY, .leg = how >> 2 & 1};
    if (coding == 3) {
        MUST(command(rig, asked) >= 0 && command(rig, (struct command){.kind = COMMAND_BARGE_IN}) == 0);
        return;
    }
    struct play given = {.number = how,
                         .type = TYPES[how >> 3 & 3],
                         .ducks = how & 32,
                         .barge_in = how & 64,
                         .count = 1 + (how >> 7)};
    for (int i = 0; i < given.count; i++) {
        given.recordings[i] = recording_new((enum coding)coding, octets, 1 + 2 * (size_t)script_byte(script));
        MUST(given.recordings[i] != NULL);
    }
    asked.kind = COMMAND_PLAY;
    asked.play = &given;
    MUST(command(rig, asked) == 0);
}

/* Keys of the agent's telephone, and slow mode. */
static void code(struct rig *rig, struct script *script) {
    uint8_t how = script_byte(script);
    struct command asked = {.kind = how & 1   ? COMMAND_SET_AGENT_KEYS
                                    : how & 2 ? COMMAND_SET_SLOW
                                    : how & 4 ? COMMAND_AGENT_KEY
                                              : COMMAND_TAKE_CODE,
                            .stream = STREAM,
                            .on = how & 0xE0,
                            .key = {.code = how >> 4}};
    relay_run(rig->relay, &asked);
    MUST(asked.result >= 0 && asked.result <= CODE_MAX);
    for (int i = 0; asked.kind == COMMAND_TAKE_CODE && i < asked.result; i++)
        MUST(asked.code[i] >= '0' && asked.code[i] <= '9');
}

/* The process dies, and another goes on with what is in the slot, in which octets have changed. */
static void succeed(struct rig *rig, struct script *script) {
    struct command adopt = {.kind = COMMAND_ADOPT_STREAM, .slot = slot_map(-1, 0)};
    uint8_t *octets = (uint8_t *)adopt.slot, changes = script_byte(script) % 32;
    MUST(octets != NULL);
    memcpy(octets, (*relay_find_stream(rig->relay, STREAM))->slot, sizeof *adopt.slot);
    for (int left = changes; left > 0; left--) {
        uint16_t place = script_word(script);
        octets[place % sizeof *adopt.slot] = script_byte(script);
    }
    for (int i = 0; i < SOCKETS; i++) {
        int copy = dup(rig->ours[i]);
        MUST(copy >= 0);
        adopt.fds[i] = rig->ours[i] = copy;
    }
    hear(rig);
    MUST(command(rig, (struct command){.kind = COMMAND_CLOSE_STREAM}) == 0);
    int masked = command(rig, adopt);
    MUST(masked >= 0 && (masked || !rig->on || changes > 0));
    rig->on = masked;
    set_types(rig, 1);
    set_peers(rig, script);
    MUST(command(rig, (struct command){.kind = COMMAND_RESUME_STREAM}) == 0);
}

/* Time passes, or another asks for something. */
static void go_on(struct rig *rig, struct script *script) {
    uint8_t how = script_byte(script);
    if (how >= 248) {
        succeed(rig, script);
    } else if (how >= 192) {
        code(rig, script);
    } else if (how >= 128) {
        play(rig, script);
    } else {
        relay_lock(rig->relay);
        relay_timers(rig->relay, clock_ms() + how * 4);
        relay_play_due(rig->relay, clock_ms() + how * 4);
        relay_unlock(rig->relay);
    }
}

int fuzz_relay(const uint8_t *data, size_t size) {
    struct script script = {data, data + size};
    struct rig rig = begun();
    struct notice notices[8];
    for (int step = 0; step < STEPS && script_goes_on(&script); step++) {
        uint8_t what = script_byte(&script) % 16;
        if (what < 8)
            say(&rig, &script, what < 5 ? CALLER_RTP : what - 4);
        else if (what < 10)
            answer(&rig, &script);
        else if (what == 10)
            turn(&rig, &script);
        else if (what == 11)
            key(&rig, &script);
        else if (what == 12)
            MUST(command(&rig,
                         (struct command){.kind = COMMAND_SET_CAPTURE, .on = script_byte(&script) & 1}) == 0);
        else if (what == 13)
            set_peers(&rig, &script);
        else if (what == 14)
            set_types(&rig, script_byte(&script));
        else
            go_on(&rig, &script);
        hear(&rig);
        relay_take_notices(rig.relay, notices, 8);
    }
    command(&rig, (struct command){.kind = COMMAND_STOP});
    relay_free(rig.relay);
    close(rig.decoder);
    for (int i = 0; i < SOCKETS; i++)
        close(rig.peers[i]);
    return 0;
}
