/* Vectors of four: lines of DTMF side by side, rows or columns, in one register of any
 * processor. */
#ifndef TONEWALL_AUDIO_SIMD_H
#define TONEWALL_AUDIO_SIMD_H

#include <stdint.h>

typedef int32_t wide_int __attribute__((vector_size(16)));
typedef float wide_float __attribute__((vector_size(16)));

#endif
