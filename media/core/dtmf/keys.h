/* The keys of a capture: kept for a moment in the order in which they were pressed, then handed
 * over (media/reference/reassembly.py, `KeyQueue`). */
#ifndef TONEWALL_DTMF_KEYS_H
#define TONEWALL_DTMF_KEYS_H

#include "constants.h"
#include "dtmf/doubled.h"
#include "dtmf/reassembly.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* KEY_HOLD_MS: how long a key waits for one that it overtook. SLOW_MS: from a key to one that slow
 * mode joins with it. KEY_LOST: in place of an event code, a key that nobody can tell. */
enum { KEYS = 32, KEY_HOLD_MS = 100, SLOW_MS = 400, KEY_LOST = 16 };

/* A press that a packet begins. */
struct pressed {
    uint8_t code; /* an event code (RFC 4733 section 3.2), or KEY_LOST */
    uint32_t timestamp;
};

/* Lives in secret memory only. */
struct key {
    int64_t seen_ms;
    uint32_t ssrc, timestamp;
    uint8_t code;
};

/* Lives in secret memory only. All zeros: no key. */
struct keys {
    int count;
    bool any_released;
    struct key released; /* the newest that was handed over; its code stays where `slow` */
    struct key held[KEYS];
    bool slow; /* a key that comes SLOW_MS or less after its like is the same press */
    struct doubled doubled;
    uint8_t codes[PRESSES]; /* of `struct presses` */
};

/* The digit of an event code from 0 to 15, in ASCII. */
uint8_t keys_ascii(int code);
/* True: it is kept, or slow mode takes it for one beside it. False: the key is KEY_LOST, comes too
 * late for its place, or has no room. The capture must then end. */
bool keys_put(struct keys *keys, int code, uint32_t ssrc, uint32_t timestamp, int64_t now_ms);
/* How many keys have waited KEY_HOLD_MS. */
int keys_ripe(const struct keys *keys, int64_t now_ms);
/* Moves ripe keys that fit, in ASCII, into secret memory at `into`, and wipes them here. Returns
 * how many. */
int keys_take(struct keys *keys, int64_t now_ms, uint8_t *into, size_t room);

/* Gives the numbers that media/reference/reassembly.py has, too. */
void keys_constants(const struct constant_sink *sink);

#endif
