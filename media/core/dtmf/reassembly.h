/* One key press, one digit: telephone-events (RFC 4733) that are lost, doubled, delayed or sent in
 * odd ways (media/reference/reassembly.py). */
#ifndef TONEWALL_DTMF_REASSEMBLY_H
#define TONEWALL_DTMF_REASSEMBLY_H

#include "constants.h"

#include <stdbool.h>
#include <stdint.h>

/* ALIVE_MS: between two packets of a press. NEXT: how far a sequence number may be ahead of the
 * packet's before. */
enum { PRESSES = 8, ALIVE_MS = 100, NEXT = 3 };

/* One event. Its code is elsewhere: no digit is to be found here. */
struct press {
    bool used, ended, withheld;
    bool doubted; /* a recording may have begun again, at `doubt` */
    uint16_t duration, first, newest, doubt; /* the last three: sequence numbers */
    uint32_t ssrc, timestamp, span;
    int64_t last_ms;
};

/* The newest events of one direction. All zeros: none yet. */
struct presses {
    struct press each[PRESSES];
    uint8_t *codes; /* of each press, plus one, in secret memory; 0, or NULL: not known. Not owned */
};

/* One packet of an event. */
struct arrival {
    bool marker, end;
    bool masked; /* it is to be kept from the agent */
    bool copy; /* it is redundant */
    bool packed; /* it stands behind another event in its packet */
    uint8_t code;
    uint16_t seq, duration;
    uint32_t ssrc, timestamp; /* when the event began */
    int64_t now_ms;
};

struct sighting {
    bool is_new; /* a press begins */
    bool replayed; /* a recording is played again: see `sequence_replay` */
    bool withheld; /* the press is kept from the agent */
    bool lost; /* a press may be missed because of this packet */
};

/* Takes one packet of an event, in the order in which packets come. */
struct sighting reassembly_sight(struct presses *presses, const struct arrival *arrival);

/* Gives the numbers that media/reference/reassembly.py has, too. */
void reassembly_constants(const struct constant_sink *sink);

#endif
