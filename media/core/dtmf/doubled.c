/* Whether each key of a capture comes twice. The reasons are in media/reference/doubled.py. */
#include "dtmf/doubled.h"

enum { TWIN_MS = 400, PAIRS_MIN = 4, FIRST_MS = 60000 };

void doubled_add(struct doubled *doubled, int code, int64_t now_ms) {
    int64_t after_ms = doubled->code != 0 ? now_ms - doubled->at_ms : FIRST_MS;
    bool is_close = doubled->open && after_ms <= TWIN_MS && 3 * after_ms <= 2 * doubled->since_ms;
    bool is_twin = is_close && doubled->code == code + 1;
    doubled->pairs += is_twin;
    doubled->others += doubled->open && !is_twin;
    doubled->open = !is_close;
    doubled->code = (uint8_t)(code + 1);
    doubled->at_ms = now_ms;
    doubled->since_ms = after_ms;
    doubled->found |= doubled->pairs >= PAIRS_MIN && PAIRS_MIN * doubled->others <= doubled->pairs;
}

void doubled_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, TWIN_MS, PAIRS_MIN, FIRST_MS);
}
