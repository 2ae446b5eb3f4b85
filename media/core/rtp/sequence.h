/* Sequence numbers without a gap, whatever is withheld or filled in
 * (media/reference/sequence.py). */
#ifndef TONEWALL_RTP_SEQUENCE_H
#define TONEWALL_RTP_SEQUENCE_H

#include "constants.h"

#include <stdbool.h>
#include <stdint.h>

enum { TRACKS = 4 };

/* The sequence numbers of one SSRC. */
struct track {
    bool used, probing, probe_withheld;
    uint16_t highest, probe;
    int32_t shift; /* the sender's number, less that under which a packet leaves */
    uint32_t ssrc;
    uint32_t packets, octets; /* that the sender counts and that did not leave */
    uint64_t withheld; /* bit i: `highest - i` was withheld */
    uint64_t used_at; /* of `struct tracks`, `clock` */
};

/* What goes on of a track in another process (docs/adr/0073). Each is one store. */
struct track_note {
    uint64_t number; /* the SSRC, `highest`, and whether it is used */
    uint64_t shift; /* and, above it, `packets` */
    uint64_t octets;
};

struct track_notes {
    struct track_note each[TRACKS];
};

/* The newest SSRCs of one direction. All zeros: none yet. */
struct tracks {
    struct track each[TRACKS];
    uint64_t clock; /* counts packets */
    struct track_notes *notes; /* not owned; NULL: nobody goes on with them */
};

/* Goes on with what is noted there, and notes what changes from now on. A packet that comes late
 * has no number any more. */
void sequence_keep(struct tracks *tracks, struct track_notes *notes);

/* Whether the packet may leave; `leaves_as`: its number then. `withhold`: it is not to leave. */
bool sequence_pass(struct tracks *tracks, uint32_t ssrc, uint16_t seq, bool withhold, uint16_t *leaves_as);
/* A number for a packet of our own, after the newest. False: the SSRC is unknown. */
bool sequence_insert(struct tracks *tracks, uint32_t ssrc, uint16_t *leaves_as);
/* A recording is played again: a number that looks late or doubled is new. */
void sequence_replay(struct tracks *tracks, uint32_t ssrc, uint16_t seq);
/* So many packets and octets of payload more that the sender counts did not leave; negative: more
 * left. */
void sequence_count_unsent(struct tracks *tracks, uint32_t ssrc, int packets, int octets);
/* NULL: the SSRC is unknown. Belongs to `tracks`. */
const struct track *sequence_track(const struct tracks *tracks, uint32_t ssrc);
/* The sender's own number for one that left, both extended (RFC 3550 section 6.4.1). */
uint32_t sequence_original(const struct tracks *tracks, uint32_t ssrc, uint32_t extended);

/* Gives the numbers that media/reference/sequence.py has, too. */
void sequence_constants(const struct constant_sink *sink);

#endif
