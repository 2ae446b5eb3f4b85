/* The payload types that a stream has negotiated. */
#include "mask/payload_types.h"

#include <string.h>

void payload_types_set(struct payload_types *types, const struct type_list lists[TYPE_KINDS]) {
    memset(types->kinds, TYPE_UNKNOWN, sizeof types->kinds);
    types->are_known = types->have_decoded = false;
    for (int kind = TYPE_AUDIO; kind < TYPE_KINDS; kind++)
        for (size_t i = 0, step = kind == TYPE_DECODED ? 2 : 1; i + step <= lists[kind].count; i += step) {
            const uint8_t *type = &lists[kind].types[i];
            types->kinds[type[0] & 0x7F] = (uint8_t)kind;
            types->are_known = true;
            types->have_decoded |= kind == TYPE_DECODED;
            if (kind == TYPE_DECODED)
                types->codecs[type[0] & 0x7F] = type[1];
        }
}

enum coding payload_types_coding(enum type_kind kind) {
    return kind == TYPE_G722 ? CODING_G722 : kind == TYPE_A ? CODING_A : CODING_MU;
}

bool payload_types_is_read(enum type_kind kind) {
    return kind == TYPE_MU || kind == TYPE_A || kind == TYPE_G722;
}
