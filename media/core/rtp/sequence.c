/* Sequence numbers without a gap, whatever is withheld or filled in. The reasons are in
 * media/reference/sequence.py. */
#include "rtp/sequence.h"

#include "rtp/rtp.h"
#include "stores.h"

#include <stddef.h>

enum { SEQUENCE_DROPOUT_MAX = 3000, SEQUENCE_WINDOW = 64 };

/* The shift before the number: a number that is noted with the shift of the packet before it would
 * be given twice. */
static void note_track(const struct tracks *tracks, const struct track *track) {
    if (tracks->notes == NULL)
        return;
    struct track_note *note = &tracks->notes->each[track - tracks->each];
    stores_put64(&note->shift, (uint64_t)track->packets << 32 | (uint32_t)track->shift);
    stores_put64(&note->octets, track->octets);
    stores_put64(&note->number,
                 (uint64_t)track->ssrc << 32 | (uint64_t)track->highest << 16 | track->used);
}

void sequence_keep(struct tracks *tracks, struct track_notes *notes) {
    for (int i = 0; i < TRACKS; i++) {
        const struct track_note *note = &notes->each[i];
        tracks->each[i] = (struct track){.used = note->number & 1,
                                         .highest = (uint16_t)(note->number >> 16),
                                         .ssrc = (uint32_t)(note->number >> 32),
                                         .shift = (int32_t)(uint32_t)note->shift,
                                         .packets = (uint32_t)(note->shift >> 32),
                                         .octets = (uint32_t)note->octets,
                                         .withheld = UINT64_MAX};
    }
    tracks->notes = notes;
}

static int count_ones(uint64_t bits) { return __builtin_popcountll(bits); }

static void advance_track(struct track *track, unsigned step, bool withhold) {
    track->highest = (uint16_t)(track->highest + step);
    track->withheld = step < SEQUENCE_WINDOW ? track->withheld << step : 0;
    if (withhold) {
        track->withheld |= 1;
        track->shift++;
    }
}

const struct track *sequence_track(const struct tracks *tracks, uint32_t ssrc) {
    for (int i = 0; i < TRACKS; i++)
        if (tracks->each[i].used && tracks->each[i].ssrc == ssrc)
            return &tracks->each[i];
    return NULL;
}

void sequence_count_unsent(struct tracks *tracks, uint32_t ssrc, int packets, int octets) {
    for (int i = 0; i < TRACKS && (packets != 0 || octets != 0); i++)
        if (tracks->each[i].used && tracks->each[i].ssrc == ssrc) {
            tracks->each[i].packets += (uint32_t)packets;
            tracks->each[i].octets += (uint32_t)octets;
            note_track(tracks, &tracks->each[i]);
        }
}

uint32_t sequence_original(const struct tracks *tracks, uint32_t ssrc, uint32_t extended) {
    const struct track *track = sequence_track(tracks, ssrc);
    if (track == NULL || track->shift == 0)
        return extended;
    uint32_t own = extended + (uint32_t)track->shift;
    int past = rtp_seq_ahead((uint16_t)own, track->highest);
    return past > 0 ? own - (uint32_t)past : own;
}

static struct track *find_track(struct tracks *tracks, uint32_t ssrc) {
    struct track *oldest = &tracks->each[0];
    for (int i = 0; i < TRACKS; i++) {
        struct track *track = &tracks->each[i];
        if (track->used && track->ssrc == ssrc)
            return track;
        if (!track->used ? oldest->used : (oldest->used && track->used_at < oldest->used_at))
            oldest = track;
    }
    if (tracks->notes != NULL) /* before another SSRC is in its place */
        stores_put64(&tracks->notes->each[oldest - tracks->each].number, 0);
    *oldest = (struct track){.ssrc = ssrc};
    return oldest;
}

void sequence_replay(struct tracks *tracks, uint32_t ssrc, uint16_t seq) {
    struct track *track = find_track(tracks, ssrc);
    if (track->used && rtp_seq_ahead(seq, track->highest) <= 0) {
        track->highest = (uint16_t)(seq - 1);
        track->withheld = 0;
        track->probing = false;
        note_track(tracks, track);
    }
}

bool sequence_pass(struct tracks *tracks, uint32_t ssrc, uint16_t seq, bool withhold, uint16_t *leaves_as) {
    struct track *track = find_track(tracks, ssrc);
    track->used_at = ++tracks->clock;
    if (!track->used) {
        track->used = true;
        track->highest = (uint16_t)(seq - 1);
    }
    int delta = rtp_seq_ahead(seq, track->highest);
    int32_t shift = track->shift;
    if (delta > 0 && delta <= SEQUENCE_DROPOUT_MAX) {
        advance_track(track, (unsigned)delta, withhold);
        note_track(tracks, track);
        track->probing = false;
        shift = track->shift;
    } else if (delta <= 0 && delta > -SEQUENCE_WINDOW) {
        unsigned back = (unsigned)-delta;
        if (track->withheld >> back & 1)
            withhold = true; /* its number belongs to another by now */
        shift -= count_ones(track->withheld & ((UINT64_C(1) << back) - 1));
    } else {
        int step = rtp_seq_ahead(seq, track->probe);
        /* Twice in a row: the sender began anew. */
        if (track->probing && step > 0 && step <= SEQUENCE_DROPOUT_MAX) {
            track->highest = track->probe;
            track->withheld = 0;
            if (track->probe_withheld) {
                track->withheld = 1;
                track->shift++;
            }
            advance_track(track, (unsigned)step, withhold);
            note_track(tracks, track);
            track->probing = false;
            shift = track->shift;
        } else {
            track->probing = true;
            track->probe = seq;
            track->probe_withheld = withhold;
        }
    }
    *leaves_as = (uint16_t)(seq - shift);
    return !withhold;
}

bool sequence_insert(struct tracks *tracks, uint32_t ssrc, uint16_t *leaves_as) {
    for (int i = 0; i < TRACKS; i++) {
        struct track *track = &tracks->each[i];
        if (!track->used || track->ssrc != ssrc)
            continue;
        track->shift--;
        /* Packets from before that are still on their way have no number any more. */
        track->withheld = UINT64_MAX;
        note_track(tracks, track);
        *leaves_as = (uint16_t)(track->highest - track->shift);
        return true;
    }
    return false;
}

void sequence_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, TRACKS, SEQUENCE_WINDOW, SEQUENCE_DROPOUT_MAX);
}
