/* The hold of masked audio. The twin of media/reference/hold.py, where the reasons stand. */
#include "mask/hold.h"

#include <math.h>
#include <string.h>

enum { AHEAD = 320, FILL = 8000, LOUDEST = 90, SETTLING = 12, TAIL = 24, TAKEN_OVER_MS = 100, BLOCK_MS = 5 };
enum { OPEN, NOISY, FLAT }; /* what a block leaves as */

static const int16_t FLAT_TONE[] = {0, 689, 1311, 1804, 2121, 2230, 2121, 1804, 1311, 689};

static int32_t ahead(uint32_t a, uint32_t b) { return (int32_t)(a - b); }

static int64_t start_of(const struct hold *hold) {
    return hold->count > 0 ? hold->frames[hold->first % FRAMES].start : hold->total;
}

static bool has_room(const struct hold *hold, int size, unsigned frames) {
    return hold->count < frames && hold->total - start_of(hold) + size <= HOLD_MOST;
}

void hold_begin(struct hold *hold, const struct manner *manner) {
    memset(hold, 0, sizeof *hold);
    hold->manner = *manner;
    hold->window = hold->filling = hold->tail = hold->background = hold->missing = -1;
    hold->sounded_ms = NEVER;
    gate_begin(&hold->gate);
    suspicion_begin(&hold->suspicion);
    tones_begin(&hold->tones);
    g722_begin(&hold->lower);
    g722_begin(&hold->left);
}

/* --- what comes --------------------------------------------------------------------------------------------------------- */

/* What may be filled grows with the time that passes; a frame that an event has begun may always be. */
static void let_pass(struct hold *hold, int64_t now_ms) {
    hold->may_fill += (now_ms - hold->passed_ms) * (BLOCK / BLOCK_MS);
    hold->passed_ms = now_ms;
    if (hold->may_fill < hold->newest.size)
        hold->may_fill = hold->newest.size;
}

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
    let_pass(hold, now_ms);
    return ahead(timestamp, hold->next) >= 0;
}

int hold_lacks(const struct hold *hold, uint32_t timestamp, bool event) {
    int32_t left = ahead(timestamp, hold->next);
    int size = hold->newest.size;
    if (!hold->has_newest || !(event || hold->filled) || left <= 0 || left > FILL || !has_room(hold, size, FRAMES - 1))
        return 0;
    if (!event && size > hold->may_fill) /* the sender's clock went faster: what is left is a jump of it */
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

static void close_blocks(struct hold *hold, int64_t first, int64_t end, uint8_t leaves_as) {
    for (int64_t at = first < 0 ? 0 : first; at < end; at++)
        if (hold->shut[at % HOLD_BLOCKS] < leaves_as)
            hold->shut[at % HOLD_BLOCKS] = leaves_as;
}

static void lengthen(int64_t *last, int64_t block) {
    if (*last < block)
        *last = block;
}

static void tell_pressed(struct hold *hold, struct span press) {
    if (hold->presses < HOLD_PRESSES)
        hold->pressed[hold->presses++] = press;
}

static void read_tones(struct hold *hold, const struct found *found) {
    if (!hold->manner.tones)
        return;
    if (tones_hear(&hold->tones, found, &hold->detector, hold->next))
        tell_pressed(hold, hold->tones.tone);
    if (tones_touch(&hold->tones, &hold->detector))
        tell_pressed(hold, (struct span){.code = PRESS_LOST, .first = hold->next});
}

/* Packets are missing before this one: not only time, in which a sender may have said nothing. */
static void look_for_hole(struct hold *hold, const struct frame *frame) {
    bool is_lost = hold->has_newest && (uint16_t)(frame->seq - hold->newest.seq) != 1;
    if (hold->manner.tones && is_lost && tones_hole(&hold->tones, &hold->detector, ahead(frame->timestamp, hold->next), hold->next))
        tell_pressed(hold, (struct span){.code = PRESS_LOST, .first = hold->next});
}

static void hear(struct hold *hold) {
    struct found found = detector_hear(&hold->detector, hold->heard);
    int64_t block = hold->block, energy = hold->detector.seen[(hold->detector.next - 1) % 16].energy;
    hold->heard_count = 0;
    int back = gate_pass_by(&hold->gate, block, &found);
    bool found_one = back != NOT_SHUT, tone = found_one || found.now > 0;
    bool press = hold->gate.sure && found_one && block > hold->tail;
    if (found_one)
        close_blocks(hold, block - back, block, press ? FLAT : NOISY);
    if (hold->manner.policy == POLICY_MUTE_ON_KEY)
        suspicion_expect(&hold->suspicion, block);
    int suspected = suspicion_hear(&hold->suspicion, block, &found, &hold->detector, found_one && hold->gate.sure);
    if (suspected > 0)
        close_blocks(hold, block - suspected, block, NOISY);
    if (tone && (block <= hold->window || (found_one && hold->manner.policy == POLICY_MUTE_ON_KEY)))
        lengthen(&hold->window, block + hold->manner.guard);
    if (tone && block <= hold->tail)
        lengthen(&hold->tail, block + HANG_SURE);
    if (block <= hold->gate.until || (tone && block <= hold->window))
        hold->sounded_ms = hold->last_ms;
    bool closed = hold->manner.policy == POLICY_MUTE || block <= hold->window || block <= hold->gate.until ||
                  block <= hold->suspicion.until;
    hold->shut[block % HOLD_BLOCKS] = !closed ? OPEN : press || block <= hold->filling ? FLAT : NOISY;
    if (!closed && !tone && block > hold->missing)
        learn(hold, energy / BLOCK);
    if (block > hold->missing)
        read_tones(hold, &found);
    hold->block++;
}

/* So many more samples are in `heard`; a block at most. */
static void take_in(struct hold *hold, int count) {
    hold->total += count;
    hold->next += (uint32_t)count;
    hold->heard_count += count;
    if (hold->heard_count == BLOCK)
        hear(hold);
}

void hold_hear(struct hold *hold, int16_t sample) {
    hold->heard[hold->heard_count] = sample;
    take_in(hold, 1);
}

/* What was lost is silence to whoever listens: a tone goes on in step beyond it, and more than the longest look has is as good as
 * all of it. */
static void miss(struct hold *hold, uint32_t timestamp) {
    int left = ahead(timestamp, hold->next), count = left < SILENCE ? left : SILENCE;
    hold->next = timestamp - (uint32_t)(count > 0 ? count : 0);
    if (count > 0)
        lengthen(&hold->missing, (hold->total + count - 1) / BLOCK);
    for (; count > 0; count--)
        hold_hear(hold, 0);
}

/* `payload` NULL: silence. `usual`: how large the frames are that may fill a gap after this one. */
static void push(struct hold *hold, struct frame frame, const uint8_t *payload, int usual) {
    if (hold->count == FRAMES || frame.size > FRAME_MOST || hold->total - start_of(hold) + frame.size > HOLD_RING - 2 * BLOCK)
        return; /* `hold_takes` and `hold_lacks` have agreed to less */
    frame.start = hold->total;
    hold->frames[(hold->first + hold->count++) % FRAMES] = frame;
    hold->newest = frame;
    hold->newest.size = usual;
    hold->has_newest = true;
    hold->next = frame.timestamp;
    uint8_t silence = frame.coding == CODING_A ? 0xD5 : 0xFF;
    for (int at = 0, size; at < frame.size; at += size) { /* to the end of a block, or of the frame */
        int left = BLOCK - hold->heard_count;
        size = frame.size - at < left ? frame.size - at : left;
        uint8_t *codes = hold->codes + hold->total % HOLD_RING;
        if (payload != NULL)
            memcpy(codes, payload + at, (size_t)size);
        else
            memset(codes, silence, (size_t)size);
        int16_t *samples = hold->heard + hold->heard_count;
        if (frame.coding != CODING_G722)
            g711_hear(frame.coding, codes, (size_t)size, samples);
        for (int i = 0; frame.coding == CODING_G722 && i < size; i++)
            samples[i] = (int16_t)g722_hear(&hold->lower, codes[i]);
        take_in(hold, size);
    }
}

void hold_fill(struct hold *hold, int size, uint16_t seq) {
    int64_t last = (hold->total + size - 1) / BLOCK;
    lengthen(&hold->window, last);
    lengthen(&hold->filling, last);
    struct frame frame = hold->newest;
    frame.marker = false;
    frame.seq = seq;
    frame.timestamp = hold->next;
    frame.size = size;
    hold->may_fill -= size;
    push(hold, frame, NULL, hold->newest.size);
    hold->filled = true;
}

void hold_audio(struct hold *hold, struct frame header, const uint8_t *payload, int64_t now_ms) {
    bool joins = !hold->has_newest || hold->filled || ahead(header.timestamp, hold->next) > 0;
    hold->last_ms = now_ms;
    hold->filled = false;
    hold->may_fill = header.size;
    look_for_hole(hold, &header);
    if (!hold->has_newest || ahead(header.timestamp, hold->next) > SILENCE)
        tones_pause(&hold->tones);
    if (hold->has_newest && ahead(header.timestamp, hold->next) > 0)
        suspicion_after_loss(&hold->suspicion, hold->block);
    if (hold->has_newest)
        miss(hold, header.timestamp);
    if (header.coding == CODING_G722 && !hold->has_newest)
        g722_begin(&hold->lower);
    if (header.coding == CODING_G722 && joins)
        lengthen(&hold->window, hold->block + SETTLING);
    push(hold, header, payload, header.size);
}

void hold_event(struct hold *hold, int64_t now_ms) {
    hold->last_ms = hold->sounded_ms = now_ms;
    let_pass(hold, now_ms);
    lengthen(&hold->window, hold->block + hold->manner.guard);
    lengthen(&hold->tail, hold->block + TAIL);
    suspicion_expect(&hold->suspicion, hold->block);
    close_blocks(hold, start_of(hold) / BLOCK, hold->block, NOISY);
}

bool hold_key(struct hold *hold, uint32_t ssrc, uint32_t timestamp, int code, uint16_t duration, bool is_new) {
    uint32_t first = hold->bound && hold->ssrc != ssrc ? hold->next : timestamp; /* another's clock says nothing: it is now */
    return hold->manner.tones && tones_event(&hold->tones, code, first, duration, is_new);
}

bool hold_pressed(struct hold *hold, struct span *out) {
    if (hold->presses == 0)
        return false;
    *out = hold->pressed[0];
    hold->presses--;
    memmove(hold->pressed, hold->pressed + 1, sizeof hold->pressed - sizeof hold->pressed[0]);
    return true;
}

bool hold_is_quiet(const struct hold *hold, int64_t now_ms, int64_t quiet_ms) {
    return hold->sounded_ms == NEVER || now_ms - hold->sounded_ms >= quiet_ms;
}

void hold_end(struct hold *hold) { close_blocks(hold, hold->block - AHEAD / BLOCK, hold->block, NOISY); }

/* --- what leaves --------------------------------------------------------------------------------------------------------- */

static int loudness(const struct hold *hold) {
    int level = (int)sqrt(3 * (double)(hold->background > 0 ? hold->background : 0));
    return level > LOUDEST ? LOUDEST : level;
}

static uint8_t noise(enum coding coding, int level, uint32_t timestamp) {
    uint32_t mixed = timestamp * 2654435761u;
    mixed = (mixed ^ mixed >> 15) * 2246822519u;
    mixed ^= mixed >> 13;
    if (coding == CODING_G722)
        return g722_quiet(mixed >> 16, level);
    return g711_encode(coding, (((int)(mixed >> 16) - 32768) * level) >> 15);
}

/* What was not looked into is noise, and so is what is not known any more. */
static int leaves_as(const struct hold *hold, int64_t block) {
    return block >= 0 && block < hold->block && hold->block - block <= HOLD_BLOCKS ? hold->shut[block % HOLD_BLOCKS] : NOISY;
}

static uint8_t flat(enum coding coding, int place) {
    int sample = FLAT_TONE[place % 10];
    return coding == CODING_G722 ? G722_FLAT[place] : g711_encode(coding, place / 10 % 2 ? -sample : sample);
}

bool hold_is_shut(const struct hold *hold, int64_t from, int64_t to) {
    for (int64_t block = from / BLOCK; block * BLOCK < to; block++)
        if (leaves_as(hold, block) != OPEN)
            return true;
    return false;
}

/* One block's part of a frame: `from` to `to` are samples. */
static void build_part(const struct hold *hold, const struct frame *frame, int64_t from, int64_t to, uint8_t *out) {
    int64_t block = from / BLOCK;
    int as = leaves_as(hold, block);
    bool before = block > 0 && leaves_as(hold, block - 1) != OPEN;
    bool after = block + 1 < hold->block && leaves_as(hold, block + 1) != OPEN;
    bool is_flat = as == FLAT && hold->manner.flat && hold->manner.policy != POLICY_MUTE;
    const uint8_t *codes = hold->codes + from % HOLD_RING;
    if (as == OPEN && !before && !after) {
        memcpy(out, codes, (size_t)(to - from));
        return;
    }
    int level = loudness(hold);
    for (int64_t sample = from; sample < to; sample++) {
        uint8_t code = *codes++;
        int place = (int)(sample % BLOCK), weight = after ? BLOCK - place : BLOCK;
        if (before && place < weight)
            weight = place;
        if (is_flat) {
            code = flat(frame->coding, place);
        } else if (as != OPEN) {
            code = noise(frame->coding, level, frame->timestamp + (uint32_t)(sample - frame->start));
        } else if (weight != BLOCK && frame->coding != CODING_G722) {
            int value = g711_decode(frame->coding, code);
            code = g711_encode(frame->coding, value * weight / BLOCK);
        }
        *out++ = code;
    }
}

size_t hold_next(struct hold *hold, bool all_of_it, uint8_t out[HOLD_PACKET]) {
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
                            : hold->last_ms + 60 + 2 * hold->frames[(hold->first + hold->count - 1) % FRAMES].size / 8;
}
