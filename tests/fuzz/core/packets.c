/* The packet path without sockets: the decisions of media/core/mask/mask.c, the hold, the queue for
 * the decoder process, and SRTP.
 *
 * Rule 1: a packet that leaves while masked is RTP of a type that may leave, and no event to any
 *         receiver.
 * Rule 2: no key has a code that there is not, and none is kept where there is no room. */
#include "harness.h"

#include "audio/codec.h"
#include "audio/g711.h"
#include "dtmf/keys.h"
#include "mask/hold_output.h"
#include "mask/leaks.h"
#include "mask/mask.h"
#include "mask/queue.h"
#include "relay/srtp.h"
#include "rtp/rtcp.h"
#include "rtp/wire.h"

#include <math.h>

enum {
    EVENTS = 101,
    MU = 0,
    A = 8,
    G722 = 9,
    GSM = 3,
    G729 = 18,
    OPUS = 111,
    AMR = 96,
    RED = 121,
    VIDEO = 99,
    CLOSED = 98
};
enum { MAX_LENGTH = 2048, STEPS = 400 };
static const uint8_t TYPES[] = {MU,   MU,  A,   G722,  EVENTS, EVENTS, GSM, G729,
                                OPUS, AMR, RED, VIDEO, CLOSED, 13,     72,  127};
static const int PASSES_MS[] = {20, 20, 20, 10, 0, 1, 60, 100, 130, 250, 300, 2000};
static const int SEQUENCES[] = {1, 1, 1, 1, 1, 0, 2, 3, -1, -2, 5, 400};
static const int LONG[] = {160, 160, 80, 240, 40, 4, 12, 20, 33, 60, 480, 800, 960, 1280, 1386, 1650};

struct world {
    struct mask mask;
    struct hold hold;
    struct queue *queue;
    struct keys keys;
    struct crypto *crypto;
    struct indices in, out; /* of `crypto` */
    int64_t now_ms;
    uint32_t timestamp, serial;
    uint16_t seq;
};

static void types(struct mask *mask, uint8_t chance) {
    static const uint8_t decoded[] = {GSM, CODEC_GSM, G729, CODEC_G729, OPUS, CODEC_OPUS, AMR, CODEC_AMR};
    static const uint8_t wide[] = {GSM,  CODEC_AMR_OCTETS,    G729, CODEC_AMR_WB,
                                   OPUS, CODEC_AMR_WB_OCTETS, AMR,  CODEC_GSM};
    static const uint8_t event[] = {EVENTS}, mu[] = {MU}, a[] = {A}, g722[] = {G722}, red[] = {RED},
                         video[] = {VIDEO}, closed[] = {CLOSED};
    struct type_list lists[TYPE_KINDS] = {0};
    lists[TYPE_EVENT] = (struct type_list){event, chance != 1};
    lists[TYPE_MU] = (struct type_list){mu, 1};
    lists[TYPE_A] = (struct type_list){a, 1};
    lists[TYPE_G722] = (struct type_list){g722, 1};
    lists[TYPE_RED] = (struct type_list){red, 1};
    lists[TYPE_AUDIO] = (struct type_list){video, 1};
    lists[TYPE_OPAQUE] = (struct type_list){closed, 1};
    lists[TYPE_DECODED] = (struct type_list){chance == 2 ? wide : decoded, sizeof decoded};
    payload_types_set(&mask->types, lists);
}

/* --- what leaves ------------------------------------------------------------------------------ */

static void leaves(struct world *world, const uint8_t *packet, size_t length) {
    struct rtp rtp;
    if (!world->mask.on)
        return;
    MUST(length <= MAX_LENGTH && rtp_parse(packet, length, &rtp));
    uint8_t kind = world->mask.types.kinds[rtp.type];
    MUST(kind != TYPE_EVENT && kind != TYPE_RED && kind != TYPE_OPAQUE && kind != TYPE_UNKNOWN);
    MUST(rtp.start == 12 && packet[0] == 0x80);
    mask_leaks(&world->mask, packet, length);
    world->mask.shut = false;
}

static void let_go(struct world *world, bool all_of_it) {
    uint8_t *held = malloc(HOLD_PACKET), *waited = malloc(QUEUE_PACKET);
    enum codec codec;
    MUST(held != NULL && waited != NULL);
    for (size_t length;
         world->mask.hold != NULL && (length = hold_next(world->mask.hold, all_of_it, held)) > 0;)
        leaves(world, held, length);
    for (size_t length; (length = queue_next(world->queue, world->now_ms, waited, &codec)) > 0;)
        MUST(length <= QUEUE_PACKET);
    free(held);
    free(waited);
}

static void fill(struct world *world, struct filling *filling) {
    uint8_t *packet = malloc(QUEUE_PACKET);
    MUST(packet != NULL);
    for (size_t length; (length = gap_next_filling(filling, packet)) > 0;) {
        MUST(length <= QUEUE_MAX);
        queue_put(world->queue, filling->of.codec, packet, length, world->now_ms, ++world->serial);
        queue_answer(world->queue, world->serial, false);
    }
    free(packet);
}

/* --- what comes ------------------------------------------------------------------------------- */

static void comes(struct world *world, uint8_t *packet, size_t length) {
    struct decision *decision = malloc(sizeof *decision);
    MUST(decision != NULL);
    struct rtp rtp;
    bool is_rtp = rtp_parse(packet, length, &rtp);
    mask_rtp(&world->mask, packet, length, is_rtp ? &rtp : NULL, world->now_ms, decision);
    MUST(decision->count >= 0 && decision->count <= KEYS + 1);
    for (int i = 0; i < decision->count; i++) {
        MUST(decision->pressed[i].code <= KEY_LOST);
        if (!keys_put(&world->keys, decision->pressed[i].code, decision->ssrc, decision->pressed[i].timestamp,
                      world->now_ms))
            memset(&world->keys, 0, sizeof world->keys);
    }
    if (decision->opens_window)
        queue_shut(world->queue);
    fill(world, &decision->filling);
    if (decision->verdict == VERDICT_ASK || decision->verdict == VERDICT_FORWARD)
        leaves(world, decision->bytes, decision->length);
    if (decision->verdict == VERDICT_ASK &&
        queue_put(world->queue, decision->codec, decision->bytes, decision->length, world->now_ms,
                  ++world->serial) &&
        !queue_follows(world->queue, get16(decision->bytes + 2)))
        queue_answer(world->queue, world->serial, false);
    free(decision);
    let_go(world, false);
}

static void tone(uint8_t *payload, size_t length, enum coding law, uint8_t how, uint32_t at) {
    int row = INBAND_FREQUENCIES[how & 3], column = INBAND_FREQUENCIES[4 + (how >> 2 & 3)],
        size = 500 << (how >> 4 & 3);
    for (size_t i = 0; i < length; i++) {
        double turn = 2 * 3.141592653589793 * (double)((at + i) % 8000) / 8000;
        payload[i] = g711_encode(law, (int)(size * (sin(row * turn) + sin(column * turn))));
    }
}

static uint32_t long_of(const struct mask *mask, uint8_t type, const uint8_t *payload, size_t size) {
    return mask->types.kinds[type] == TYPE_DECODED
               ? codec_duration((enum codec)mask->types.codecs[type], payload, size)
               : (uint32_t)size;
}

static void say(struct world *world, struct script *script) {
    uint8_t type = TYPES[script_byte(script) % sizeof TYPES], how = script_byte(script),
            form = script_byte(script);
    size_t size = type == EVENTS ? 4 : (size_t)LONG[form % 16];
    uint8_t *packet = script_bytes(&(struct script){NULL, NULL}, RTP_HEADER + size),
            *payload = packet + RTP_HEADER;
    world->now_ms += PASSES_MS[script_byte(script) % (sizeof PASSES_MS / sizeof *PASSES_MS)];
    world->seq =
        (uint16_t)(world->seq + SEQUENCES[script_byte(script) % (sizeof SEQUENCES / sizeof *SEQUENCES)]);
    packet[0] = 0x80;
    packet[1] = (uint8_t)((form & 0x80) | type);
    put16(packet + 2, world->seq);
    put32(packet + 4, world->timestamp + (uint32_t)(40 * (int8_t)(type == EVENTS ? 0 : script_byte(script))));
    put32(packet + 8, form & 0x40 ? 8 : 7);
    if (type == EVENTS) {
        payload[0] = how % 17;
        payload[1] = (uint8_t)(form & 0x20 ? 0x8A : 0x0A);
        put16(payload + 2, (uint16_t)(160 * (1 + form % 32)));
        if (form & 0x20)
            world->timestamp += 160u * (1u + form % 32u);
    } else if (form & 0x20 && (type == MU || type == A)) {
        tone(payload, size, type == MU ? CODING_MU : CODING_A, how, world->timestamp);
    } else if (form & 0x10) {
        memset(payload, how, size);
    } else {
        uint8_t *raw = script_bytes(script, size < 64 ? size : 64);
        for (size_t i = 0; i < size; i++)
            payload[i] = raw[i % (size < 64 ? size : 64)];
        free(raw);
    }
    if (type != EVENTS)
        world->timestamp = get32(packet + 4) + long_of(&world->mask, type, payload, size);
    comes(world, packet, RTP_HEADER + size);
    free(packet);
}

static void say_anything(struct world *world, struct script *script) {
    size_t length = script_word(script) % (MAX_LENGTH + 1);
    uint8_t *packet = script_bytes(script, length);
    world->now_ms += PASSES_MS[script_byte(script) % (sizeof PASSES_MS / sizeof *PASSES_MS)];
    comes(world, packet, length);
    free(packet);
}

static void report(struct world *world, struct script *script, bool back) {
    size_t length = script_byte(script);
    uint8_t *packet = script_bytes(script, length);
    struct decision *decision = malloc(sizeof *decision);
    uint64_t lost, jitter;
    MUST(decision != NULL);
    rtcp_reception(packet, length, &lost, &jitter);
    (back ? mask_agent_rtcp : mask_caller_rtcp)(&world->mask, packet, length, decision);
    MUST(decision->length <= length);
    free(decision);
    free(packet);
}

static void turn(struct world *world, uint8_t how) {
    struct mask_options options = {.policy = (enum policy)(how % 3),
                                   .guard = how & 4 ? GUARD : GUARD_MAX,
                                   .tones = how & 8,
                                   .placeholder = how & 16};
    if (world->mask.hold != NULL)
        hold_end(world->mask.hold);
    queue_shut(world->queue);
    let_go(world, true);
    world->mask.on = how & 32;
    world->mask.hold = world->mask.on ? &world->hold : NULL;
    world->mask.gap = (struct gap){0};
    memset(world->queue, 0, sizeof *world->queue);
    if (!world->mask.on)
        return;
    hold_begin(&world->hold, &options);
    event_sender_forget(&world->mask.sender);
}

static void send_key(struct world *world, struct script *script) {
    struct outgoing_key key = {.code = script_byte(script) % 16,
                               .type = EVENTS,
                               .duration_ms = 40 + script_word(script) % 4961,
                               .clock = 8000};
    uint8_t *out = malloc(EVENT_PACKET);
    MUST(out != NULL);
    mask_send_key(&world->mask, &key, 9, world->now_ms);
    for (int steps = script_byte(script); steps > 0 && mask_next_sent(&world->mask, world->now_ms, out) > 0;
         steps--)
        world->now_ms += 20;
    free(out);
}

static void unseal(struct world *world, struct script *script) {
    size_t length = script_word(script) % 300;
    uint8_t *packet = script_bytes(script, length + SRTP_ROOM), *scratch = malloc(length + SRTP_ROOM);
    MUST(scratch != NULL);
    size_t opened = length;
    crypto_open(world->crypto, script_byte(script) & 1, packet, &opened, scratch);
    MUST(opened <= length);
    free(packet);
    free(scratch);
}

static void take(struct world *world) {
    uint8_t keys[KEYS];
    int count = keys_take(&world->keys, world->now_ms, keys, sizeof keys);
    MUST(count >= 0 && count <= KEYS);
    for (int i = 0; i < count; i++)
        MUST(memchr("0123456789*#ABCD", keys[i], 16) != NULL);
}

static struct crypto *sealed(struct world *world) {
    static const uint8_t key[30] = {1, 2, 3};
    struct crypto_keys keys = {.suite = "AES_CM_128_HMAC_SHA1_80",
                               .in = key,
                               .in_length = sizeof key,
                               .out = key,
                               .out_length = sizeof key};
    return crypto_change(NULL, &keys, &world->in, &world->out);
}

int fuzz_packets(const uint8_t *data, size_t size) {
    struct script script = {data, data + size};
    struct world *world = calloc(1, sizeof *world);
    MUST(world != NULL && (world->queue = calloc(1, sizeof *world->queue)) != NULL &&
         (world->crypto = sealed(world)) != NULL);
    uint8_t first = script_byte(&script);
    types(&world->mask, first % 4);
    world->now_ms = 1000;
    world->timestamp = first & 4 ? UINT32_MAX - 4000 : 5000;
    world->seq = first & 8 ? 65530 : 100;
    world->mask.presses.codes = world->keys.codes;
    turn(world, first >> 2);
    for (int step = 0; step < STEPS && script_goes_on(&script); step++) {
        uint8_t what = script_byte(&script) % 24;
        if (what < 14)
            say(world, &script);
        else if (what < 16)
            say_anything(world, &script);
        else if (what == 16 || what == 17)
            report(world, &script, what == 17);
        else if (what == 18)
            turn(world, script_byte(&script));
        else if (what == 19)
            queue_answer(world->queue, world->serial - script_byte(&script) % 8, script_byte(&script) & 1);
        else if (what == 20)
            take(world);
        else if (what == 21)
            send_key(world, &script);
        else if (what == 22)
            unseal(world, &script);
        else
            types(&world->mask, script_byte(&script) % 4);
    }
    let_go(world, true);
    crypto_free(world->crypto);
    free(world->queue);
    free(world);
    return 0;
}
