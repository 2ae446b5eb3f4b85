/* One record of a key, as rtpengine writes it (media/reference/rtpengine_log.py). */
#ifndef TONEWALL_DTMF_RTPENGINE_LOG_H
#define TONEWALL_DTMF_RTPENGINE_LOG_H

#include "constants.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ECHO_MS = 1000, DATAGRAM = 2000, LOG_NO_KEY = -1 }; /* DATAGRAM: octets */

/* Octets within the datagram, not owned. */
struct log_string {
    const uint8_t *start;
    size_t length;
};

struct log_record {
    struct log_string call, tag;
    int event; /* an event code from 0 to 15, or LOG_NO_KEY */
};

/* Tells a press from its second report: rtpengine reports one from its start and one from its end.
 * All zeros: no press yet. */
struct log_presses {
    int last; /* the code, plus one; 0: none yet */
    bool echoed;
    int64_t at_ms;
};

/* False: the datagram is malformed. */
bool rtpengine_log_parse(const uint8_t *bytes, size_t length, struct log_record *out);
/* Whether the report is of a new press. */
bool rtpengine_log_is_press(struct log_presses *presses, int event, int64_t now_ms);

/* Gives the numbers that media/reference/rtpengine_log.py has, too. */
void rtpengine_log_constants(const struct constant_sink *sink);

#endif
