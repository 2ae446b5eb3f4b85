/* The last look at a packet before it leaves while masked: it parses the packet anew, and asks
 * audio/canary.c alone. */
#include "mask/leaks.h"

#include "audio/canary.h"
#include "audio/g711.h"
#include "rtp/rtp.h"

#include <string.h>

/* The static payload types of RFC 3551 count whatever was negotiated. */
enum { STATIC_PCMU = 0, STATIC_PCMA = 8, STATIC_G722 = 9 };

static bool sounds_like_a_key(struct hold *hold, enum coding coding, const uint8_t *payload, size_t size) {
    int16_t samples[FRAME_MAX];
    size = size < FRAME_MAX ? size : FRAME_MAX;
    if (coding != CODING_G722)
        g711_decode_all(coding, payload, size, samples);
    for (size_t at = 0; coding == CODING_G722 && at < size; at++)
        samples[at] = (int16_t)g722_decode(&hold->left, payload[at]);
    bool is_key = canary_hears(&hold->canary, samples, size);
    explicit_bzero(samples, size * sizeof *samples);
    return is_key;
}

bool mask_leaks(struct mask *mask, const uint8_t *packet, size_t length) {
    struct rtp rtp;
    if (!mask->on || mask->shut)
        return false;
    if (!rtp_parse(packet, length, &rtp))
        return mask->shut = true;
    const uint8_t *payload = packet + rtp.start;
    size_t size = rtp.end - rtp.start;
    enum type_kind kind = mask->types.kinds[rtp.type];
    if (kind == TYPE_EVENT || kind == TYPE_RED || canary_sees(payload, size))
        return mask->shut = true;
    bool is_mu = kind == TYPE_MU || rtp.type == STATIC_PCMU, is_a = kind == TYPE_A || rtp.type == STATIC_PCMA;
    bool is_g722 = kind == TYPE_G722 || rtp.type == STATIC_G722;
    if (mask->hold != NULL && (is_mu || is_a || is_g722))
        mask->shut = sounds_like_a_key(mask->hold,
                                       is_mu  ? CODING_MU
                                       : is_a ? CODING_A
                                              : CODING_G722,
                                       payload, size);
    return mask->shut;
}
