/* The hold of masked audio. The twin of media/hold.py, where the reasons stand. */
#include "_hold.h"

#include <math.h>
#include <string.h>

enum { AHEAD = 160, FILL = 8000, LOUDEST = 90, TAKEN_OVER_MS = 100 };

static int32_t ahead(uint32_t a, uint32_t b) { return (int32_t)(a - b); }

static int64_t start_of(const struct hold *hold) {
    return hold->count > 0 ? hold->frames[hold->first % FRAMES].start : hold->total;
}

static bool has_room(const struct hold *hold, int size, unsigned frames) {
    return hold->count < frames && hold->total - start_of(hold) + size <= HOLD_RING / 2;
}

void hold_begin(struct hold *hold, enum policy policy, int guard) {
    memset(hold, 0, sizeof *hold);
    hold->policy = policy;
    hold->guard = guard;
    hold->window = hold->background = -1;
    gate_begin(&hold->gate);
}

/* --- what comes --------------------------------------------------------------------------------------------------------- */

bool hold_takes(struct hold *hold, uint32_t ssrc, uint32_t timestamp, size_t size, int64_t now_ms) {
    if (size == 0 || size > FRAME_MOST || !has_room(hold, (int)size, FRAMES))
        return false;
    bool begins = !hold->bound || hold->ssrc != ssrc;
    if (begins && hold->bound && now_ms - hold->last_ms < TAKEN_OVER_MS)
        return false;
    if (begins || ahead(timestamp, hold->next) < -FILL) {
        hold->bound = true;
        hold->ssrc = ssrc;
        hold->next = timestamp;
        hold->has_newest = hold->filled = false;
    }
    return ahead(timestamp, hold->next) >= 0;
}

int hold_lacks(const struct hold *hold, uint32_t timestamp, bool event) {
    int32_t left = ahead(timestamp, hold->next);
    int size = hold->newest.size;
    if (!hold->has_newest || !(event || hold->filled) || left <= 0 || left > FILL || !has_room(hold, size, FRAMES - 1))
        return 0;
    if (left < size)
        return event ? 0 : left;
    return size;
}

/* The background is the least that was heard lately. */
static void learn(struct hold *hold, int64_t quiet) {
    if (hold->background < 0 || quiet < hold->background)
        hold->background = quiet;
    else
        hold->background += (hold->background >> 8) + 1;
}

static void close_blocks(struct hold *hold, int64_t first, int64_t end) {
    for (int64_t at = first < 0 ? 0 : first; at < end; at++)
        hold->shut[at % HOLD_BLOCKS] = 1;
}

static void hear(struct hold *hold) {
    struct found found = detector_hear(&hold->detector, hold->heard);
    int64_t block = hold->block, energy = hold->detector.seen[(hold->detector.next - 1) % 16].energy;
    hold->heard_count = 0;
    int back = gate_pass_by(&hold->gate, block, &found);
    bool tone = back != NOT_SHUT || found.now > 0;
    if (back != NOT_SHUT)
        close_blocks(hold, block - back, block);
    if (tone && (block <= hold->window || (back != NOT_SHUT && hold->policy == POLICY_MUTE_ON_KEY)) &&
        hold->window < block + hold->guard)
        hold->window = block + hold->guard;
    bool closed = hold->policy == POLICY_MUTE || block <= hold->window || block <= hold->gate.until;
    hold->shut[block % HOLD_BLOCKS] = closed;
    if (!closed && !tone)
        learn(hold, energy / BLOCK);
    hold->block++;
}

void hold_hear(struct hold *hold, int16_t sample) {
    hold->total++;
    hold->heard[hold->heard_count++] = sample;
    if (hold->heard_count == BLOCK)
        hear(hold);
}

/* `payload` NULL: silence. `usual`: how large the frames are that may fill a gap after this one. */
static void push(struct hold *hold, struct frame frame, const uint8_t *payload, int usual) {
    frame.start = hold->total;
    hold->frames[(hold->first + hold->count++) % FRAMES] = frame;
    hold->newest = frame;
    hold->newest.size = usual;
    hold->has_newest = true;
    uint8_t silence = frame.law == LAW_MU ? 0xFF : 0xD5;
    for (int i = 0; i < frame.size; i++) {
        uint8_t code = payload != NULL ? payload[i] : silence;
        hold->codes[hold->total % HOLD_RING] = code;
        hold_hear(hold, (int16_t)g711_decode(frame.law, code));
    }
    hold->next = frame.timestamp + (uint32_t)frame.size;
}

void hold_fill(struct hold *hold, int size, uint16_t seq) {
    int64_t last = (hold->total + size - 1) / BLOCK;
    if (last > hold->window)
        hold->window = last;
    struct frame frame = hold->newest;
    frame.marker = false;
    frame.seq = seq;
    frame.timestamp = hold->next;
    frame.size = size;
    push(hold, frame, NULL, hold->newest.size);
    hold->filled = true;
}

void hold_audio(struct hold *hold, struct frame header, const uint8_t *payload, int64_t now_ms) {
    hold->last_ms = now_ms;
    hold->filled = false;
    push(hold, header, payload, header.size);
}

void hold_event(struct hold *hold, int64_t now_ms) {
    hold->last_ms = now_ms;
    if (hold->window < hold->block + hold->guard)
        hold->window = hold->block + hold->guard;
    close_blocks(hold, start_of(hold) / BLOCK, hold->block);
}

void hold_end(struct hold *hold) { close_blocks(hold, hold->block - AHEAD / BLOCK, hold->block); }

/* --- what leaves --------------------------------------------------------------------------------------------------------- */

static int noise(const struct hold *hold, uint32_t timestamp) {
    int level = (int)sqrt(3 * (double)(hold->background > 0 ? hold->background : 0));
    if (level > LOUDEST)
        level = LOUDEST;
    uint32_t mixed = timestamp * 2654435761u;
    mixed = (mixed ^ mixed >> 15) * 2246822519u;
    mixed ^= mixed >> 13;
    return (((int)(mixed >> 16) - 32768) * level) >> 15;
}

/* What was not looked into is. */
static bool is_shut(const struct hold *hold, int64_t block) {
    return block >= hold->block || hold->shut[block % HOLD_BLOCKS];
}

bool hold_is_shut(const struct hold *hold, int64_t from, int64_t to) {
    for (int64_t block = from / BLOCK; block * BLOCK < to; block++)
        if (is_shut(hold, block))
            return true;
    return false;
}

/* One block's part of a frame: `from` to `to` are samples. */
static void build_part(const struct hold *hold, const struct frame *frame, int64_t from, int64_t to, uint8_t *out) {
    int64_t block = from / BLOCK;
    bool shut = is_shut(hold, block), before = block > 0 && is_shut(hold, block - 1);
    bool after = block + 1 < hold->block && is_shut(hold, block + 1);
    for (int64_t sample = from; sample < to; sample++) {
        uint8_t code = hold->codes[sample % HOLD_RING];
        int place = (int)(sample % BLOCK), weight = after ? BLOCK - place : BLOCK;
        if (before && place < weight)
            weight = place;
        if (shut) {
            code = g711_encode(frame->law, noise(hold, frame->timestamp + (uint32_t)(sample - frame->start)));
        } else if (weight != BLOCK) {
            int value = g711_decode(frame->law, code);
            code = g711_encode(frame->law, value * weight / BLOCK);
        }
        *out++ = code;
    }
}

size_t hold_next(struct hold *hold, bool all_of_it, uint8_t *out) {
    if (hold->count == 0)
        return 0;
    const struct frame *frame = &hold->frames[hold->first % FRAMES];
    if (!all_of_it && frame->start + frame->size + AHEAD > hold->block * BLOCK)
        return 0;
    hold->first++;
    hold->count--;
    out[0] = 0x80;
    out[1] = (uint8_t)(frame->marker << 7 | frame->type);
    out[2] = (uint8_t)(frame->seq >> 8);
    out[3] = (uint8_t)frame->seq;
    for (int i = 0; i < 4; i++) {
        out[4 + i] = (uint8_t)(frame->timestamp >> (24 - 8 * i));
        out[8 + i] = (uint8_t)(frame->ssrc >> (24 - 8 * i));
    }
    int64_t end = frame->start + frame->size;
    for (int64_t at = frame->start; at < end;) {
        int64_t next = (at / BLOCK + 1) * BLOCK;
        if (next > end)
            next = end;
        build_part(hold, frame, at, next, out + RTP_HEADER + (at - frame->start));
        at = next;
    }
    return (size_t)(RTP_HEADER + frame->size);
}

int64_t hold_due_ms(const struct hold *hold) {
    return hold->count == 0 ? INT64_MAX
                            : hold->last_ms + 40 + 2 * hold->frames[(hold->first + hold->count - 1) % FRAMES].size / 8;
}
