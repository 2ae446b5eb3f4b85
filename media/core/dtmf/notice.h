/* Notices to Python: of which stream, and of which kind. Never a digit. */
#ifndef TONEWALL_DTMF_NOTICE_H
#define TONEWALL_DTMF_NOTICE_H

#include <stdint.h>

/* KEYED: digits wait. OVERFLOW: a digit could not be kept, and its capture must end. LEAKED: a key
 * was found in a packet that was to leave, and nothing leaves until the mask goes off. PLAYED: what
 * was played into a leg has ended. CODE: a feature code of the agent's waits.
 * PASSED: a key of the customer's reached the agent, as an event, since there is no mask. */
enum notice_kind {
    NOTICE_KEYED = 1,
    NOTICE_OVERFLOW = 2,
    NOTICE_LEAKED = 3,
    NOTICE_PLAYED = 4,
    NOTICE_CODE = 5,
    NOTICE_PASSED = 6,
    NOTICE_KINDS = 7
};

struct notice {
    int64_t stream;
    int kind;
};

#endif
