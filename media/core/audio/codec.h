/* Codecs that the core does not decode: how long a payload is, and a payload of silence
 * (media/codecs.py).
 *
 * A new codec is a row of the table in audio/codec.c. */
#ifndef TONEWALL_AUDIO_CODEC_H
#define TONEWALL_AUDIO_CODEC_H

#include "constants.h"

#include <stddef.h>
#include <stdint.h>

/* In the order of media/codecs.py. */
enum codec {
    CODEC_NONE,
    CODEC_OPUS,
    CODEC_G729,
    CODEC_GSM,
    CODEC_AMR,
    CODEC_AMR_OCTETS,
    CODEC_AMR_WB,
    CODEC_AMR_WB_OCTETS,
    CODECS
};

/* The duration of a payload, in units of its rtp_timestamp; 0: nothing could stand in its place.
 * Frames are counted, not decoded: silence that takes a payload's place depends on nothing that was
 * spoken. */
uint32_t codec_duration(enum codec codec, const uint8_t *payload, size_t size);
/* Writes a payload of silence of `ticks` units, or of as many as whole frames have. Returns its
 * octets: no more than any payload of that duration, or 2. 0: there is no such payload, or it has
 * no room. */
size_t codec_silence(enum codec codec, uint32_t ticks, uint8_t *out, size_t room);
/* The part of `ticks` that whole frames fill. */
uint32_t codec_silence_ticks(enum codec codec, uint32_t ticks);
/* Units of the rtp_timestamp in a second. */
uint32_t codec_clock(enum codec codec);

/* Gives the numbers that media/formats/opus.py has, too. */
void codec_constants(const struct constant_sink *sink);

#endif
