/* The commands of the other threads, applied with the lock held. */
#include "mask/mask.h"
#include "relay/clock.h"
#include "relay/decoder.h"
#include "relay/eventfd.h"
#include "relay/lock.h"
#include "relay/masking.h"
#include "relay/notices.h"
#include "relay/playing.h"
#include "relay/relay_api.h"
#include "relay/streams.h"
#include "relay/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* --- commands to the relay -------------------------------------------------------------------- */

static int stop_relay(struct relay *relay) {
    for (int bucket = 0; bucket < BUCKETS; bucket++)
        while (relay->buckets[bucket] != NULL)
            relay_close_stream(relay, &relay->buckets[bucket]);
    decoder_set(relay, -1);
    secret_wipe(&relay->buffer);
    relay->running = false;
    eventfd_signal(relay->wake_fd);
    return 0;
}

/* --- commands to a stream --------------------------------------------------------------------- */

/* Both sources of a leg were set. As long as no packet is read they may be locked as they were in
 * the process before this one. */
static void keep_latches(struct stream *stream, int leg, int64_t now_ms) {
    struct latch *latches = stream->slot->latches;
    for (int index = socket_of(leg, true); index <= socket_of(leg, false); index++) {
        struct source *source = &stream->endpoints[index].source;
        const struct source *paired = socket_is_rtp(index) ? NULL : &stream->endpoints[index - 1].source;
        if (stream->is_resumed)
            latch_note(&latches[index], source);
        else
            latch_restore(&latches[index], source, paired, now_ms);
    }
}

static int set_peer(struct stream *stream, const struct command *command, int64_t now_ms) {
    struct source *rtp = &stream->endpoints[socket_of(command->leg, true)].source;
    struct source *rtcp = &stream->endpoints[socket_of(command->leg, false)].source;
    bool has_rtcp = command->has_rtp && command->has_rtcp;
    bool is_muxed = has_rtcp && source_same(&command->rtp, &command->rtcp);
    source_set(rtp, &command->rtp, command->has_rtp, command->on);
    source_set(rtcp, &command->rtcp, has_rtcp && !is_muxed, command->on);
    stream->muxed[command->leg] = is_muxed;
    keep_latches(stream, command->leg, now_ms);
    return 0;
}

static int set_crypto(struct stream *stream, const struct command *command) {
    struct crypto **crypto = &stream->crypto[command->leg], **paused = &stream->paused[command->leg];
    struct crypto **before = *crypto != NULL ? crypto : paused;
    if (command->keys.suite == NULL) {
        /* Where the same keys come again its indices go on: none is used twice with a key. */
        if (before == crypto)
            *paused = *crypto;
        *crypto = NULL;
        return 0;
    }
    struct crypto *changed = crypto_change(*before, &command->keys, &stream->slot->in[command->leg],
                                           &stream->slot->out[command->leg]);
    if (changed == NULL)
        return -errno;
    *before = NULL;
    *crypto = changed;
    return 0;
}

static int set_types(struct stream *stream, const struct command *command) {
    payload_types_set(&stream->mask.types, command->types);
    stream->mask.drops_events = command->drops_events[AGENT];
    stream->drops_agent_events = command->drops_events[CALLER];
    stream->clock = command->clock;
    return 0;
}

static int set_capture(struct relay *relay, struct stream *stream, bool on) {
    relay_stop_capture(stream);
    relay_forget_capture_notices(relay, stream);
    stream->capture = on;
    return 0;
}

static int read_key_figures(const struct stream *stream, struct command *command) {
    command->figures = mask_key_figures(&stream->mask);
    command->doubled = stream->keys->doubled.found;
    return 0;
}

static int read_tally(const struct stream *stream, struct command *command) {
    command->tally = tally_read(&stream->slot->tally, &stream->mask, clock_wall_ms());
    return 0;
}

static int set_slow(struct stream *stream, bool on) {
    stream->keys->slow = on && stream->capture;
    return 0;
}

static int take_digits(struct relay *relay, struct stream *stream, const struct command *command,
                       int64_t now_ms) {
    int count = keys_take(stream->keys, now_ms, command->into, command->room);
    relay->stack_is_secret = true;
    stream->announced = false;
    if (stream->keys->count > 0)
        relay->due_ms = now_ms;
    return count;
}

/* 1: the key will be sent; 0: not while masked, and not where too many wait. */
static int send_key(struct relay *relay, struct stream *stream, const struct command *command,
                    int64_t now_ms) {
    uint32_t own = 0;
    while (own == 0)
        if (getrandom(&own, sizeof own, 0) != sizeof own)
            return -errno;
    bool is_sent = mask_send_key(&stream->mask, &command->key, own, now_ms);
    int64_t due_ms = event_sender_due_ms(&stream->mask.sender);
    if (due_ms < relay->due_ms)
        relay->due_ms = due_ms;
    return is_sent;
}

/* How the newest play of a leg ended; PLAY_RUNS: none has. */
static int played(const struct stream *stream, struct command *command) {
    const struct player *player = stream->players[command->leg];
    command->played = player == NULL ? 0 : player->play.number;
    return player == NULL ? PLAY_RUNS : player->end;
}

static int departed_type(const struct stream *stream, int leg) {
    return stream->slot->departed[leg].used ? stream->slot->departed[leg].type : PAYLOAD_TYPES;
}

static int barge_in(struct relay *relay, struct stream *stream, int64_t now_ms) {
    relay_barge_in(relay, stream, now_ms);
    return 0;
}

static int set_agent_keys(struct stream *stream, bool on) {
    agent_keys_switch(&stream->agent_keys, on);
    return 0;
}

/* 1: the key is kept from the customer; 0: it is not. */
static int agent_key(struct relay *relay, struct stream *stream, uint8_t code, int64_t now_ms) {
    if (!stream->agent_keys.on)
        return false;
    bool is_withheld = agent_keys_info(&stream->agent_keys, code, stream->mask.on, now_ms);
    relay_note_agent_keys(relay, stream, now_ms);
    return is_withheld;
}

static int copy_counters(const struct stream *stream, struct counters out[LEGS]) {
    memcpy(out, stream->slot->counters, sizeof stream->slot->counters);
    for (int leg = CALLER; leg <= AGENT; leg++) {
        struct arrival_quality quality = quality_of(&stream->slot->arrivals[leg]);
        out[leg].expected = quality.expected;
        out[leg].missing = quality.missing;
        out[leg].arrival_jitter = quality.jitter_us;
    }
    return 0;
}

static int copy_arrived(const struct stream *stream, struct arrived *out) {
    memcpy(out, stream->slot->arrived, sizeof stream->slot->arrived);
    return 0;
}

/* Begins anew where it is on already. */
static int set_tap(struct stream *stream, bool on) {
    free(stream->tap);
    stream->tap = on ? calloc(1, sizeof *stream->tap) : NULL;
    return on && stream->tap == NULL ? -ENOMEM : 0;
}

static int read_tap(struct stream *stream, struct command *command) {
    return stream->tap == NULL ? 0
                               : (int)tap_take(stream->tap, command->records, TAP_RECORDS, &command->dropped);
}

static int close_stream(struct relay *relay, struct stream **at, struct command *command) {
    copy_counters(*at, command->counters);
    relay_close_stream(relay, at);
    return 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

static int apply_to_stream(struct relay *relay, struct command *command) {
    struct stream **at = relay_find_stream(relay, command->stream), *stream = *at;
    if (stream == NULL)
        return -ENOENT;
    int64_t now_ms = clock_ms();
    switch (command->kind) {
    case COMMAND_RESUME_STREAM:
        return relay_resume_stream(relay, stream);
    case COMMAND_SET_PEER:
        return set_peer(stream, command, now_ms);
    case COMMAND_SET_CRYPTO:
        return set_crypto(stream, command);
    case COMMAND_SET_TYPES:
        return set_types(stream, command);
    case COMMAND_SET_MASK:
        return relay_set_mask(relay, stream, command, now_ms);
    case COMMAND_IS_QUIET: /* where there is no hold no audio leaves, and of its tones nothing is known */
        return mask_is_quiet(&stream->mask, now_ms, command->quiet_ms);
    case COMMAND_SET_CAPTURE:
        return set_capture(relay, stream, command->on);
    case COMMAND_SET_SLOW:
        return set_slow(stream, command->on);
    case COMMAND_KEY_FIGURES:
        return read_key_figures(stream, command);
    case COMMAND_TALLY:
        return read_tally(stream, command);
    case COMMAND_SEND_KEY:
        return send_key(relay, stream, command, now_ms);
    case COMMAND_PLAY:
        return relay_play(relay, stream, command, now_ms);
    case COMMAND_STOP_PLAY:
        return relay_stop_play(relay, stream, command->leg, now_ms);
    case COMMAND_PLAYED:
        return played(stream, command);
    case COMMAND_BARGE_IN:
        return barge_in(relay, stream, now_ms);
    case COMMAND_DEPARTED_TYPE:
        return departed_type(stream, command->leg);
    case COMMAND_TAKE_DIGITS:
        return take_digits(relay, stream, command, now_ms);
    case COMMAND_SET_AGENT_KEYS:
        return set_agent_keys(stream, command->on);
    case COMMAND_AGENT_KEY:
        return agent_key(relay, stream, command->key.code, now_ms);
    case COMMAND_TAKE_CODE:
        return agent_keys_take(&stream->agent_keys, command->code);
    case COMMAND_COUNTERS:
        return copy_counters(stream, command->counters);
    case COMMAND_ARRIVED:
        return copy_arrived(stream, command->arrived);
    case COMMAND_SET_TAP:
        return set_tap(stream, command->on);
    case COMMAND_READ_TAP:
        return read_tap(stream, command);
    case COMMAND_CLOSE_STREAM:
        return close_stream(relay, at, command);
    default:
        return -EINVAL;
    }
}

/* Not inlined: anything that it leaves on the stack is below its caller's. */
static __attribute__((noinline)) int apply_command(struct relay *relay, struct command *command) {
    switch (command->kind) {
    case COMMAND_OPEN_STREAM:
        return relay_open_stream(relay, command);
    case COMMAND_ADOPT_STREAM:
        return relay_adopt_stream(relay, command);
    case COMMAND_STOP:
        return stop_relay(relay);
    case COMMAND_HAS_DECODER:
        return relay->decoder_fd >= 0;
    case COMMAND_SET_DECODER:
        decoder_set(relay, command->fds[0]);
        return 0;
    default:
        return apply_to_stream(relay, command);
    }
}

void relay_run(struct relay *relay, struct command *command) {
    relay_lock(relay);
    int64_t due_ms = relay->due_ms, play_due_ms = relay->play_due_ms;
    command->result = relay->running ? apply_command(relay, command) : -ESHUTDOWN;
    bool is_sooner = relay->due_ms < due_ms || relay->play_due_ms < play_due_ms,
         stack_is_secret = relay->stack_is_secret;
    relay->stack_is_secret = false;
    relay_unlock(relay);
    if (stack_is_secret)
        relay_wipe_stack();
    if (is_sooner) /* than the time until which the thread waits */
        eventfd_signal(relay->wake_fd);
}
