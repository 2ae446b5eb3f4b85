/* The decision about one packet. */
#include "mask/decision.h"

#include <string.h>

void decision_begin(struct decision *decision, uint8_t *packet, size_t length) {
    decision->verdict = VERDICT_FORWARD;
    decision->count = 0;
    decision->ssrc = 0;
    decision->codec = CODEC_NONE;
    decision->opens_window = false;
    decision->filling.count = 0;
    decision->bytes = packet;
    decision->length = length;
}

void decision_add_press(struct decision *decision, uint8_t code, uint32_t timestamp) {
    if (decision->count <= KEYS)
        decision->pressed[decision->count++] = (struct pressed){.code = code, .timestamp = timestamp};
}

void decision_wipe(struct decision *decision) {
    explicit_bzero(decision->pressed, (size_t)decision->count * sizeof *decision->pressed);
    decision->count = 0;
}
