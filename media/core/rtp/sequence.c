/* Sequence numbers without a gap, whatever is withheld or filled in. The twin of media/reference/sequence.py. */
#include "rtp/wire.h"

enum { MAX_DROPOUT = 3000, WINDOW = 64 };

static int ones(uint64_t bits) { return __builtin_popcountll(bits); }

static void track_advance(struct track *track, unsigned step, bool withhold) {
    track->highest = (uint16_t)(track->highest + step);
    track->withheld = step < WINDOW ? track->withheld << step : 0;
    if (withhold) {
        track->withheld |= 1;
        track->shift++;
    }
}

const struct track *track_of(const struct mask *mask, uint32_t ssrc) {
    for (int i = 0; i < TRACKS; i++)
        if (mask->tracks[i].used && mask->tracks[i].ssrc == ssrc)
            return &mask->tracks[i];
    return NULL;
}

void track_spare(struct mask *mask, uint32_t ssrc, int packets, int octets) {
    for (int i = 0; i < TRACKS; i++)
        if (mask->tracks[i].used && mask->tracks[i].ssrc == ssrc) {
            mask->tracks[i].packets += (uint32_t)packets;
            mask->tracks[i].octets += (uint32_t)octets;
        }
}

uint32_t track_numbered(const struct mask *mask, uint32_t ssrc, uint32_t extended) {
    const struct track *track = track_of(mask, ssrc);
    if (track == NULL || track->shift == 0)
        return extended;
    uint32_t own = extended + (uint32_t)track->shift;
    int16_t past = (int16_t)(uint16_t)(own - track->highest);
    return past > 0 ? own - (uint32_t)past : own;
}

static struct track *track_find(struct mask *mask, uint32_t ssrc) {
    struct track *oldest = &mask->tracks[0];
    for (int i = 0; i < TRACKS; i++) {
        struct track *track = &mask->tracks[i];
        if (track->used && track->ssrc == ssrc)
            return track;
        if (!track->used ? oldest->used : (oldest->used && track->used_at < oldest->used_at))
            oldest = track;
    }
    *oldest = (struct track){.ssrc = ssrc};
    return oldest;
}

void track_replay(struct mask *mask, uint32_t ssrc, uint16_t seq) {
    struct track *track = track_find(mask, ssrc);
    if (track->used && (int16_t)(uint16_t)(seq - track->highest) <= 0) {
        track->highest = (uint16_t)(seq - 1);
        track->withheld = 0;
        track->probing = false;
    }
}

bool track_pass(struct mask *mask, uint32_t ssrc, uint16_t seq, bool withhold, uint16_t *leaves_as) {
    struct track *track = track_find(mask, ssrc);
    track->used_at = ++mask->clock;
    if (!track->used) {
        track->used = true;
        track->highest = (uint16_t)(seq - 1);
    }
    int delta = (int16_t)(uint16_t)(seq - track->highest);
    int32_t shift = track->shift;
    if (delta > 0 && delta <= MAX_DROPOUT) {
        track_advance(track, (unsigned)delta, withhold);
        track->probing = false;
        shift = track->shift;
    } else if (delta <= 0 && delta > -WINDOW) {
        unsigned back = (unsigned)-delta;
        if (track->withheld >> back & 1)
            withhold = true; /* its number was given away */
        shift -= ones(track->withheld & ((UINT64_C(1) << back) - 1));
    } else {
        int step = (int16_t)(uint16_t)(seq - track->probe);
        if (track->probing && step > 0 && step <= MAX_DROPOUT) { /* twice in a row: the sender began anew */
            track->highest = track->probe;
            track->withheld = 0;
            if (track->probe_withheld) {
                track->withheld = 1;
                track->shift++;
            }
            track_advance(track, (unsigned)step, withhold);
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

bool track_insert(struct mask *mask, uint32_t ssrc, uint16_t *leaves_as) {
    for (int i = 0; i < TRACKS; i++) {
        struct track *track = &mask->tracks[i];
        if (!track->used || track->ssrc != ssrc)
            continue;
        track->shift--;
        track->withheld = UINT64_MAX; /* what is still on its way from before has no number any more */
        *leaves_as = (uint16_t)(track->highest - track->shift);
        return true;
    }
    return false;
}
