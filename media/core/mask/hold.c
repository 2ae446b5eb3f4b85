/* The hold of masked audio. The reasons are in media/reference/audio_hold.py. */
#include "mask/hold.h"

#include "audio/g711.h"

#include <string.h>

/* HOLD_FILL: samples that are filled at once, at most: a second. SETTLING, HOLD_TAIL: blocks. */
enum { HOLD_FILL = 8000, SETTLING = 12, HOLD_TAIL = 24, HOLD_TAKEOVER_MS = 100, BLOCK_MS = 5 };

/* The first sample that waits. */
static int64_t start_of(const struct hold *hold) {
    return hold->count > 0 ? hold->frames[hold->first % FRAMES].start : hold->total;
}

static bool has_frame_room(const struct hold *hold, int size, unsigned frames) {
    return hold->count < frames && hold->total - start_of(hold) + size <= HOLD_MAX;
}

void hold_begin(struct hold *hold, const struct mask_options *options) {
    memset(hold, 0, sizeof *hold);
    hold->options = *options;
    hold->window = hold->filling = hold->tail = hold->background = hold->missing = -1;
    hold->sounded_ms = NEVER;
    inband_gate_begin(&hold->gate);
    sensitive_begin(&hold->sensitive);
    tones_begin(&hold->tones);
    g722_begin(&hold->lower);
    g722_begin(&hold->left);
}

/* --- frames that come ------------------------------------------------------------------------- */

/* The time that may be filled grows as time passes; a frame that an event has begun may always
 * be. */
static void let_pass(struct hold *hold, int64_t now_ms) {
    hold->may_fill += (now_ms - hold->passed_ms) * (BLOCK / BLOCK_MS);
    hold->passed_ms = now_ms;
    if (hold->may_fill < hold->newest.size)
        hold->may_fill = hold->newest.size;
}

bool hold_accepts(struct hold *hold, uint32_t ssrc, uint32_t timestamp, size_t size, int64_t now_ms) {
    if (size == 0 || size > FRAME_MAX || !has_frame_room(hold, (int)size, FRAMES))
        return false;
    bool begins = !hold->bound || hold->ssrc != ssrc;
    if (begins && hold->bound && now_ms - hold->last_ms < HOLD_TAKEOVER_MS)
        return false;
    if (begins || rtp_ticks_ahead(timestamp, hold->next) < -HOLD_FILL) {
        hold->bound = true;
        hold->ssrc = ssrc;
        hold->next = timestamp;
        hold->has_newest = hold->filled = false;
    }
    let_pass(hold, now_ms);
    return rtp_ticks_ahead(timestamp, hold->next) >= 0;
}

int hold_lacks(const struct hold *hold, uint32_t timestamp, bool event) {
    int32_t left = rtp_ticks_ahead(timestamp, hold->next);
    int size = hold->newest.size;
    if (!hold->has_newest || !(event || hold->filled) || left <= 0 || left > HOLD_FILL ||
        !has_frame_room(hold, size, FRAMES - 1))
        return 0;
    if (!event && size > hold->may_fill) /* the sender's clock has jumped: that time is not filled */
        return 0;
    if (left < size)
        return event ? 0 : left;
    return size;
}

/* The background is the least energy of late. */
static void learn_background(struct hold *hold, int64_t quiet) {
    if (hold->background < 0 || quiet < hold->background)
        hold->background = quiet;
    else
        hold->background += (hold->background >> 8) + 1;
}

/* Blocks that were shut more strictly stay so. */
static void close_blocks(struct hold *hold, int64_t first, int64_t end, uint8_t leaves_as) {
    for (int64_t at = first < 0 ? 0 : first; at < end; at++)
        if (hold->shut[at % HOLD_BLOCKS] < leaves_as)
            hold->shut[at % HOLD_BLOCKS] = leaves_as;
}

static void extend_to(int64_t *last, int64_t block) {
    if (*last < block)
        *last = block;
}

static void add_span(struct hold *hold, struct span press) {
    if (hold->presses < HOLD_PRESSES)
        hold->pressed[hold->presses++] = press;
}

/* Reads presses from tones. Where they are not captured they are counted all the same. */
static void read_tones(struct hold *hold, const struct found *found) {
    bool is_free = tones_hear(&hold->tones, found, &hold->detector, hold->next);
    if (!hold->options.tones)
        return;
    if (is_free)
        add_span(hold, hold->tones.tone);
    if (tones_touch(&hold->tones, &hold->detector))
        add_span(hold, (struct span){.code = PRESS_LOST, .first = hold->next});
}

/* Packets are missing before this one, and not only time, in which a sender may have sent
 * nothing. */
static void look_for_hole(struct hold *hold, const struct frame *frame) {
    bool is_lost = hold->has_newest && (uint16_t)(frame->seq - hold->newest.seq) != 1;
    if (hold->options.tones && is_lost &&
        tones_hole(&hold->tones, &hold->detector, rtp_ticks_ahead(frame->timestamp, hold->next), hold->next))
        add_span(hold, (struct span){.code = PRESS_LOST, .first = hold->next});
}

/* The more sensitive detector, where keys are expected. */
static void hear_sensitive(struct hold *hold, const struct found *found, bool is_press) {
    if (hold->options.policy == POLICY_MUTE_ON_KEY)
        sensitive_expect(&hold->sensitive, hold->block);
    int back = sensitive_hear(&hold->sensitive, hold->block, found, &hold->detector, is_press);
    if (back > 0)
        close_blocks(hold, hold->block - back, hold->block, BLOCK_NOISY);
}

/* A tone lengthens the window of the key before it, and the tail of an event. */
static void extend_windows(struct hold *hold, bool is_found) {
    int64_t block = hold->block;
    if (block <= hold->window || (is_found && hold->options.policy == POLICY_MUTE_ON_KEY))
        extend_to(&hold->window, block + hold->options.guard);
    if (block <= hold->tail)
        extend_to(&hold->tail, block + HANG_SURE);
}

static bool must_shut(const struct hold *hold) {
    return hold->options.policy == POLICY_MUTE || hold->block <= hold->window ||
           hold->block <= hold->gate.until || hold->block <= hold->sensitive.until;
}

/* Talk is what goes on without a key. The time of an event is nobody's voice. */
static void hear_talk(struct hold *hold, bool is_press) {
    if (is_press)
        hold->talk = (struct talk){0};
    else if (hold->block > hold->window)
        talk_hear(&hold->talk, inband_measured(&hold->detector, 0)->energy);
}

/* A whole block has come: shuts it, and blocks before it, where there is a tone or a window. */
static void hear_block(struct hold *hold) {
    int64_t block = hold->block;
    struct found found = inband_hear(&hold->detector, hold->listened);
    hold->listened_count = 0;
    int back = inband_gate_pass_by(&hold->gate, block, &found);
    bool is_found = back != NOT_SHUT, is_tone = is_found || found.now > 0;
    bool is_press = hold->gate.sure && is_found && block > hold->tail; /* and no tail of an event */
    if (is_found)
        close_blocks(hold, block - back, block, is_press ? BLOCK_PLACEHOLDER : BLOCK_NOISY);
    hear_sensitive(hold, &found, is_found && hold->gate.sure);
    if (is_tone)
        extend_windows(hold, is_found);
    if (block <= hold->gate.until || (is_tone && block <= hold->window))
        hold->sounded_ms = hold->last_ms;
    bool is_shut = must_shut(hold), is_flat = is_press || block <= hold->filling;
    hold->shut[block % HOLD_BLOCKS] = !is_shut ? BLOCK_OPEN : is_flat ? BLOCK_PLACEHOLDER : BLOCK_NOISY;
    if (block > hold->missing && !is_shut && !is_tone)
        learn_background(hold, inband_measured(&hold->detector, 0)->energy / BLOCK);
    if (block > hold->missing) {
        read_tones(hold, &found);
        hear_talk(hold, is_press);
    }
    hold->block++;
}

/* `count` samples more are in `listened`, at most to the end of a block. */
static void add_listened(struct hold *hold, int count) {
    hold->total += count;
    hold->next += (uint32_t)count;
    hold->listened_count += count;
    if (hold->listened_count == BLOCK)
        hear_block(hold);
}

void hold_hear(struct hold *hold, int16_t sample) {
    hold->listened[hold->listened_count] = sample;
    add_listened(hold, 1);
}

/* Lost samples are silence to the detectors: a tone goes on in step beyond them. A longer loss than
 * the longest look counts as that. */
static void hear_loss(struct hold *hold, uint32_t timestamp) {
    int left = rtp_ticks_ahead(timestamp, hold->next), count = left < SILENCE ? left : SILENCE;
    hold->next = timestamp - (uint32_t)(count > 0 ? count : 0);
    if (count > 0)
        extend_to(&hold->missing, (hold->total + count - 1) / BLOCK);
    for (; count > 0; count--)
        hold_hear(hold, 0);
}

/* `payload` NULL: silence. `usual`: how large the frames are that may fill a gap after this one. */
static void push_frame(struct hold *hold, struct frame frame, const uint8_t *payload, int usual) {
    if (hold->count == FRAMES || frame.size > FRAME_MAX ||
        hold->total - start_of(hold) + frame.size > HOLD_RING - 2 * BLOCK)
        return; /* `hold_accepts` and `hold_lacks` have agreed to less */
    frame.start = hold->total;
    hold->frames[(hold->first + hold->count++) % FRAMES] = frame;
    hold->newest = frame;
    hold->newest.size = usual;
    hold->has_newest = true;
    hold->next = frame.timestamp;
    uint8_t silence = frame.coding == CODING_A ? 0xD5 : 0xFF;
    for (int at = 0, size; at < frame.size; at += size) { /* to the end of a block, or of the frame */
        int left = BLOCK - hold->listened_count;
        size = frame.size - at < left ? frame.size - at : left;
        uint8_t *codes = hold->codes + hold->total % HOLD_RING;
        if (payload != NULL)
            memcpy(codes, payload + at, (size_t)size);
        else
            memset(codes, silence, (size_t)size);
        int16_t *samples = hold->listened + hold->listened_count;
        if (frame.coding != CODING_G722)
            g711_decode_all(frame.coding, codes, (size_t)size, samples);
        for (int i = 0; frame.coding == CODING_G722 && i < size; i++)
            samples[i] = (int16_t)g722_decode(&hold->lower, codes[i]);
        add_listened(hold, size);
    }
}

void hold_fill(struct hold *hold, int size, uint16_t seq) {
    int64_t last = (hold->total + size - 1) / BLOCK;
    extend_to(&hold->window, last);
    extend_to(&hold->filling, last);
    struct frame frame = hold->newest;
    frame.marker = false;
    frame.seq = seq;
    frame.timestamp = hold->next;
    frame.size = size;
    hold->may_fill -= size;
    push_frame(hold, frame, NULL, hold->newest.size);
    hold->filled = true;
}

void hold_audio(struct hold *hold, struct frame header, const uint8_t *payload, int64_t now_ms) {
    bool joins = !hold->has_newest || hold->filled || rtp_ticks_ahead(header.timestamp, hold->next) > 0;
    hold->last_ms = now_ms;
    hold->filled = false;
    hold->may_fill = header.size;
    look_for_hole(hold, &header);
    if (!hold->has_newest || rtp_ticks_ahead(header.timestamp, hold->next) > SILENCE)
        tones_pause(&hold->tones);
    if (hold->has_newest && rtp_ticks_ahead(header.timestamp, hold->next) > 0)
        sensitive_after_loss(&hold->sensitive, hold->block);
    if (hold->has_newest)
        hear_loss(hold, header.timestamp);
    if (header.coding == CODING_G722 && !hold->has_newest)
        g722_begin(&hold->lower);
    if (header.coding == CODING_G722 && joins)
        extend_to(&hold->window, hold->block + SETTLING);
    push_frame(hold, header, payload, header.size);
}

void hold_event(struct hold *hold, int64_t now_ms) {
    hold->last_ms = hold->sounded_ms = now_ms;
    hold->talk = (struct talk){0};
    let_pass(hold, now_ms);
    extend_to(&hold->window, hold->block + hold->options.guard);
    extend_to(&hold->tail, hold->block + HOLD_TAIL);
    sensitive_expect(&hold->sensitive, hold->block);
    close_blocks(hold, start_of(hold) / BLOCK, hold->block, BLOCK_NOISY);
}

bool hold_key(struct hold *hold, uint32_t ssrc, uint32_t timestamp, int code, uint16_t duration,
              bool is_new) {
    /* The clock of another SSRC tells nothing: it is now. */
    uint32_t first = hold->bound && hold->ssrc != ssrc ? hold->next : timestamp;
    bool was_tone = tones_event(&hold->tones, code, first, duration, is_new);
    return hold->options.tones && was_tone;
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

void hold_end(struct hold *hold) {
    close_blocks(hold, hold->block - HOLD_AHEAD / BLOCK, hold->block, BLOCK_NOISY);
}

void hold_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, GUARD, FRAMES, FRAME_MAX, HOLD_MAX, HOLD_BLOCKS, HOLD_RING, HOLD_PRESSES, PRESS_LOST,
              SILENCE, HOLD_AHEAD, HOLD_FILL, SETTLING, HOLD_TAIL, HOLD_TAKEOVER_MS, BLOCK_OPEN, BLOCK_NOISY,
              BLOCK_PLACEHOLDER);
}
