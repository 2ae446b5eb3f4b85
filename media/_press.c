/* One key press, one digit. The twin of media/reassembly.py. */
#include "_decide.h"

#include <string.h>

enum { REPLAY_GAP_MS = 250, SEGMENT = 0xFFFF, LONG_SEGMENT = 0xF000, REORDER_TICKS = 16000 };

struct sighting press_sight(struct mask *mask, const struct rtp *rtp, uint32_t timestamp, bool copy, const uint8_t *event,
                            int64_t now_ms) {
    bool end = event[1] >> 7;
    uint16_t duration = get16(event + 2);
    struct press *slot = NULL;
    for (int i = 0; i < PRESSES; i++) {
        struct press *press = &mask->presses[i];
        if (!press->used || press->ssrc != rtp->ssrc || press->timestamp != timestamp)
            continue;
        bool restarted = duration < press->duration || (rtp->marker && duration == press->duration);
        if (!copy && restarted && now_ms - press->last_ms > REPLAY_GAP_MS) {
            slot = press;
            break;
        }
        press->last_ms = now_ms;
        press->ended |= end;
        press->withheld |= mask->on;
        if (duration > press->duration)
            press->duration = duration;
        return (struct sighting){.withheld = press->withheld};
    }
    bool continues = false, replayed = slot != NULL, withheld = mask->on;
    if (!replayed) {
        for (int i = 0; i < PRESSES; i++) {
            struct press *press = &mask->presses[i];
            if (press->used && !press->ended && press->ssrc == rtp->ssrc) {
                uint32_t step = timestamp - press->timestamp;
                bool by_duration = !rtp->marker && press->duration >= LONG_SEGMENT && step == press->duration;
                if (step == SEGMENT || by_duration) {
                    continues = true;
                    withheld |= press->withheld;
                    press->ended = true;
                }
            }
            if (slot == NULL || (!press->used ? slot->used : (slot->used && press->last_ms < slot->last_ms)))
                slot = press;
        }
    }
    *slot = (struct press){
        .used = true,
        .ended = end,
        .withheld = withheld,
        .duration = duration,
        .ssrc = rtp->ssrc,
        .timestamp = timestamp,
        .last_ms = now_ms,
    };
    return (struct sighting){.is_new = !continues, .replayed = replayed, .withheld = withheld};
}

bool keys_put(struct keys *keys, int code, uint32_t ssrc, uint32_t timestamp, int64_t now_ms) {
    if (keys->count == KEYS)
        return false;
    int at = keys->count;
    while (at > 0) {
        const struct key *before = &keys->held[at - 1];
        int32_t ahead = (int32_t)(before->timestamp - timestamp);
        if (now_ms - before->seen_ms >= KEY_HOLD_MS || before->ssrc != ssrc || ahead <= 0 || ahead > REORDER_TICKS)
            break;
        keys->held[at] = *before;
        at--;
    }
    int64_t seen_ms = at < keys->count ? keys->held[at + 1].seen_ms : now_ms;
    keys->held[at] = (struct key){.seen_ms = seen_ms, .ssrc = ssrc, .timestamp = timestamp, .code = (uint8_t)code};
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
    int taken = keys_ripe(keys, now_ms);
    if ((size_t)taken > room)
        taken = (int)room;
    for (int i = 0; i < taken; i++)
        into[i] = (uint8_t)"0123456789*#ABCD"[keys->held[i].code];
    keys->count -= taken;
    memmove(keys->held, keys->held + taken, (size_t)keys->count * sizeof keys->held[0]);
    explicit_bzero(keys->held + keys->count, (size_t)taken * sizeof keys->held[0]);
    return taken;
}
