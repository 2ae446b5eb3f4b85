/* The payload types that a stream has negotiated, by their treatment in the mask. */
#ifndef TONEWALL_MASK_PAYLOAD_TYPES_H
#define TONEWALL_MASK_PAYLOAD_TYPES_H

#include "audio/codec.h"
#include "audio/coding.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAYLOAD_TYPES = 128 };

/* In the order in which one counts, where a type is listed as several. */
enum type_kind {
    TYPE_UNKNOWN,
    TYPE_AUDIO, /* passes without being looked into: video, for instance */
    TYPE_MU,
    TYPE_A,
    TYPE_G722,
    TYPE_DECODED, /* audio that only the decoder process can decode */
    TYPE_RED, /* RFC 2198 */
    TYPE_OPAQUE, /* audio that nobody can decode: does not leave while masked */
    TYPE_EVENT, /* RFC 4733 */
    TYPE_KINDS
};

struct type_list {
    const uint8_t *types; /* of TYPE_DECODED, pairs: a type and its codec */
    size_t count; /* octets */
};

struct payload_types {
    uint8_t kinds[PAYLOAD_TYPES], codecs[PAYLOAD_TYPES]; /* enum type_kind, enum codec */
    bool are_known, have_decoded;
};

/* Replaces all types. */
void payload_types_set(struct payload_types *types, const struct type_list lists[TYPE_KINDS]);
/* `kind`: TYPE_MU, TYPE_A or TYPE_G722. */
enum coding payload_types_coding(enum type_kind kind);
/* Whether the core decodes this kind itself. */
bool payload_types_is_read(enum type_kind kind);

#endif
