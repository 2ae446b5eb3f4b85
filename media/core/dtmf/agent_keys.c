/* The keys of the agent's own telephone, and the feature codes in them. The reasons are in
 * media/reference/agent_keys.py. */
#include "dtmf/agent_keys.h"

#include "dtmf/keys.h"
#include "rtp/rtp.h"

#include <string.h>

enum { KEY_STAR = 10, KEY_HASH = 11 };

static void end_code(struct agent_keys *keys) {
    explicit_bzero(keys->code->digits, sizeof keys->code->digits);
    keys->code->count = 0;
    keys->phase = CODE_NONE;
}

void agent_keys_switch(struct agent_keys *keys, bool on) {
    if (on && keys->on)
        return; /* a re-INVITE in mid-code */
    struct agent_code *code = keys->code;
    explicit_bzero(code, sizeof *code);
    *keys = (struct agent_keys){.on = on, .code = code};
    keys->presses.codes = code->presses;
}

void agent_keys_spoil(struct agent_keys *keys) {
    if (keys->phase != CODE_OPEN)
        return;
    end_code(keys);
    keys->phase = CODE_SPOILT;
}

static void forget_presses(struct agent_keys *keys) {
    explicit_bzero(keys->code->presses, sizeof keys->code->presses);
    keys->presses = (struct presses){.codes = keys->code->presses};
    keys->seen_ms = 0;
}

int64_t agent_keys_expire(struct agent_keys *keys, int64_t now_ms) {
    if (keys->phase != CODE_NONE && now_ms - keys->last_ms > CODE_PAUSE_MS)
        end_code(keys);
    if (keys->seen_ms != 0 && now_ms - keys->seen_ms > CODE_PAUSE_MS)
        forget_presses(keys);
    int64_t code_ms = keys->phase == CODE_NONE ? INT64_MAX : keys->last_ms + CODE_PAUSE_MS + 1;
    int64_t presses_ms = keys->seen_ms == 0 ? INT64_MAX : keys->seen_ms + CODE_PAUSE_MS + 1;
    return code_ms < presses_ms ? code_ms : presses_ms;
}

bool agent_keys_complete(const struct agent_keys *keys) { return keys->code->complete > 0; }

/* One that nobody has taken yet is not replaced. */
static void complete_code(struct agent_keys *keys, int64_t now_ms) {
    struct agent_code *code = keys->code;
    if (keys->phase == CODE_OPEN && code->count > 0 && code->complete == 0) {
        memcpy(code->code, code->digits, sizeof code->code);
        code->complete = code->count;
    }
    end_code(keys);
    keys->ended_ms = now_ms;
}

static void add_digit(struct agent_keys *keys, uint8_t code) {
    if (keys->phase != CODE_OPEN)
        return;
    if (code > 9 || keys->code->count == CODE_MAX) {
        agent_keys_spoil(keys);
        return;
    }
    keys->code->digits[keys->code->count++] = keys_ascii(code);
}

/* Whether a key that came in another way is the echo of a code. */
static bool is_echo(const struct agent_keys *keys, enum key_way way, int64_t now_ms) {
    return way != keys->way &&
           (keys->phase != CODE_NONE || (keys->ended_ms != 0 && now_ms - keys->ended_ms <= CODE_ECHO_MS));
}

/* Takes a press. Whether it is part of a code. */
static bool take_key(struct agent_keys *keys, uint8_t code, enum key_way way, int64_t now_ms) {
    agent_keys_expire(keys, now_ms);
    if (is_echo(keys, way, now_ms))
        return true;
    if (keys->phase == CODE_NONE && code != KEY_STAR)
        return false;
    keys->way = way;
    keys->last_ms = now_ms;
    if (code == KEY_STAR) {
        end_code(keys);
        keys->phase = CODE_OPEN;
    } else if (code == KEY_HASH) {
        complete_code(keys, now_ms);
    } else {
        add_digit(keys, code);
    }
    return true;
}

/* The keys of a code come from one sender, in their order. */
static void check_order(struct agent_keys *keys, const struct arrival *arrival) {
    if (keys->phase == CODE_OPEN && keys->way == WAY_EVENT && arrival->code != KEY_STAR &&
        (arrival->ssrc != keys->ssrc || rtp_ticks_ahead(arrival->timestamp, keys->timestamp) < 0))
        agent_keys_spoil(keys);
    keys->ssrc = arrival->ssrc;
    keys->timestamp = arrival->timestamp;
}

bool agent_keys_event(struct agent_keys *keys, const struct arrival *arrival) {
    struct arrival seen = *arrival;
    agent_keys_expire(keys, arrival->now_ms);
    bool is_known = keys->phase != CODE_NONE || is_echo(keys, WAY_EVENT, arrival->now_ms);
    seen.masked |= is_known || arrival->code == KEY_STAR;
    struct sighting sighting = reassembly_sight(&keys->presses, &seen);
    keys->seen_ms = arrival->now_ms;
    if (keys->phase != CODE_NONE && keys->way == WAY_EVENT)
        keys->last_ms = arrival->now_ms; /* a key that is held down is no pause */
    if (sighting.lost)
        agent_keys_spoil(keys);
    if (!sighting.is_new || sighting.lost)
        return sighting.withheld;
    check_order(keys, arrival);
    return take_key(keys, arrival->code, WAY_EVENT, arrival->now_ms) || sighting.withheld;
}

bool agent_keys_info(struct agent_keys *keys, uint8_t code, bool masked, int64_t now_ms) {
    return take_key(keys, code, WAY_INFO, now_ms) || masked;
}

int agent_keys_take(struct agent_keys *keys, uint8_t into[CODE_MAX]) {
    struct agent_code *code = keys->code;
    int count = code->complete;
    memcpy(into, code->code, sizeof code->code);
    explicit_bzero(code->code, sizeof code->code);
    code->complete = 0;
    return count;
}

void agent_keys_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, CODE_MAX, CODE_PAUSE_MS, CODE_ECHO_MS);
}
