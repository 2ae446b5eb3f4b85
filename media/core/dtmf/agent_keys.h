/* The keys of the agent's own telephone, and the feature codes in them
 * (media/reference/agent_keys.py). */
#ifndef TONEWALL_DTMF_AGENT_KEYS_H
#define TONEWALL_DTMF_AGENT_KEYS_H

#include "constants.h"
#include "dtmf/reassembly.h"

#include <stdbool.h>
#include <stdint.h>

/* CODE_MAX: digits of a code. CODE_PAUSE_MS: without a key, after which a code is given up. */
enum { CODE_MAX = 6, CODE_PAUSE_MS = 5000, CODE_ECHO_MS = 1000 };

/* How a key came. */
enum key_way { WAY_EVENT, WAY_INFO };
/* Whether a code is being keyed; one that is spoilt is kept from the customer to its end, and is
 * none. */
enum code_phase { CODE_NONE, CODE_OPEN, CODE_SPOILT };

/* Lives in secret memory only. All zeros: no digit. */
struct agent_code {
    int count, complete; /* digits */
    uint8_t digits[CODE_MAX]; /* ASCII, of the code that is being keyed */
    uint8_t code[CODE_MAX]; /* ASCII, of one that is complete, and not taken yet */
    uint8_t presses[PRESSES]; /* codes of `struct presses` */
};

/* All zeros but `code`: no key yet. */
struct agent_keys {
    bool on;
    enum code_phase phase;
    enum key_way way; /* of the code that is being keyed, or was keyed last */
    uint32_t ssrc, timestamp; /* of its newest press, where it comes as events */
    int64_t last_ms, ended_ms; /* the newest key of a code; the end of the last one, 0: none yet */
    int64_t seen_ms; /* the newest packet of an event; 0: no press is remembered */
    struct presses presses;
    struct agent_code *code; /* not owned */
};

/* Starts, or stops and wipes. */
void agent_keys_switch(struct agent_keys *keys, bool on);
/* Takes one packet of an event. Whether it is kept from the customer. `arrival->masked`: it is
 * anyway. */
bool agent_keys_event(struct agent_keys *keys, const struct arrival *arrival);
/* Takes a key that came as SIP INFO. Whether it is kept from the customer. */
bool agent_keys_info(struct agent_keys *keys, uint8_t code, bool masked, int64_t now_ms);
/* Spoils a code in which a key may be missing. */
void agent_keys_spoil(struct agent_keys *keys);
/* Wipes a code, and presses, after which nothing has come for CODE_PAUSE_MS. Returns when that is
 * due; INT64_MAX: there are none. */
int64_t agent_keys_expire(struct agent_keys *keys, int64_t now_ms);
/* Whether a complete code waits. */
bool agent_keys_complete(const struct agent_keys *keys);
/* Moves the digits of a complete code to `into`, and wipes them here. Returns how many. */
int agent_keys_take(struct agent_keys *keys, uint8_t into[CODE_MAX]);

/* Gives the numbers that media/reference/agent_keys.py has, too. */
void agent_keys_constants(const struct constant_sink *sink);

#endif
