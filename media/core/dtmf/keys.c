/* The keys of a capture, in the order in which they were pressed. The reasons are in
 * media/reference/reassembly.py. */
#include "dtmf/keys.h"

#include <string.h>

/* 2 s at 48 kHz: further apart, rtp_timestamps tell no order. */
enum { ORDER_MS = 250, REORDER_TICKS = 96000 };

uint8_t keys_ascii(int code) { return (uint8_t)"0123456789*#ABCD"[code]; }

static bool overtook(const struct key *key, uint32_t ssrc, uint32_t timestamp, int64_t now_ms) {
    int32_t by = (int32_t)(key->timestamp - timestamp);
    return now_ms - key->seen_ms < ORDER_MS && key->ssrc == ssrc && by > 0 && by <= REORDER_TICKS;
}

/* Whether slow mode takes a key for the one before its place, or behind. */
static bool is_joined(const struct keys *keys, int at, int code, int64_t now_ms) {
    const struct key *beside[] = {at > 0 ? &keys->held[at - 1] : keys->any_released ? &keys->released : NULL,
                                  at < keys->count ? &keys->held[at] : NULL};
    for (int i = 0; i < 2 && keys->slow; i++)
        if (beside[i] != NULL && beside[i]->code == code && now_ms - beside[i]->seen_ms <= SLOW_MS)
            return true;
    return false;
}

bool keys_put(struct keys *keys, int code, uint32_t ssrc, uint32_t timestamp, int64_t now_ms) {
    bool is_late = keys->any_released && overtook(&keys->released, ssrc, timestamp, now_ms);
    if (code == KEY_LOST)
        return false;
    doubled_add(&keys->doubled, code, now_ms);
    int at = keys->count;
    while (at > 0 && overtook(&keys->held[at - 1], ssrc, timestamp, now_ms))
        at--;
    if (is_joined(keys, at, code, now_ms))
        return true;
    if (is_late || keys->count == KEYS)
        return false;
    int64_t seen_ms = at < keys->count ? keys->held[at].seen_ms : now_ms;
    memmove(&keys->held[at + 1], &keys->held[at], (size_t)(keys->count - at) * sizeof keys->held[0]);
    keys->held[at] =
        (struct key){.seen_ms = seen_ms, .ssrc = ssrc, .timestamp = timestamp, .code = (uint8_t)code};
    keys->count++;
    return true;
}

int keys_ripe(const struct keys *keys, int64_t now_ms) {
    int ripe = 0;
    while (ripe < keys->count && now_ms - keys->held[ripe].seen_ms >= KEY_HOLD_MS)
        ripe++;
    return ripe;
}

int keys_take(struct keys *keys, int64_t now_ms, uint8_t *into, size_t room) {
    int moved = keys_ripe(keys, now_ms);
    if ((size_t)moved > room)
        moved = (int)room;
    for (int i = 0; i < moved; i++)
        into[i] = keys_ascii(keys->held[i].code);
    if (moved > 0) {
        keys->any_released = true;
        keys->released = keys->held[moved - 1];
        if (!keys->slow)
            keys->released.code = KEY_LOST;
    }
    keys->count -= moved;
    memmove(keys->held, keys->held + moved, (size_t)keys->count * sizeof keys->held[0]);
    explicit_bzero(keys->held + keys->count, (size_t)moved * sizeof keys->held[0]);
    return moved;
}

void keys_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, KEYS, KEY_HOLD_MS, SLOW_MS, KEY_LOST, ORDER_MS, REORDER_TICKS);
}
