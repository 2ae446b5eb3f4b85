/* The decision about one packet. */
#ifndef TONEWALL_MASK_DECISION_H
#define TONEWALL_MASK_DECISION_H

#include "audio/codec.h"
#include "dtmf/keys.h"
#include "mask/gap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum verdict {
    VERDICT_FORWARD,
    VERDICT_WITHHOLD,
    VERDICT_MALFORMED,
    VERDICT_HOLD, /* the audio is in the hold: it leaves by `hold_next` */
    VERDICT_ASK, /* the decoder process has to listen to it: it leaves by `queue_next` */
};

/* Lives in secret memory only. */
struct decision {
    enum verdict verdict;
    int count;
    /* Presses that the packet begins: one more than there is ever room for. */
    struct pressed pressed[KEYS + 1];
    uint32_t ssrc; /* of those presses */
    enum codec codec; /* where the verdict is VERDICT_ASK */
    struct filling filling; /* leaves before the packet, or in its place */
    bool opens_window; /* while masked: the packet holds an event, whatever its type */
    uint8_t *bytes; /* the packet that leaves: within the buffer of the one that came */
    size_t length;
};

/* The packet leaves as it came. */
void decision_begin(struct decision *decision, uint8_t *packet, size_t length);
/* A press begins; `code` may be KEY_LOST. */
void decision_add_press(struct decision *decision, uint8_t code, uint32_t timestamp);
/* Wipes the presses. */
void decision_wipe(struct decision *decision);

#endif
