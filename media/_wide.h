/* Loops over the eight lines of DTMF are worth code of their own: the processor's is chosen once, when the module is loaded. */
#ifndef TONEWALL_WIDE_H
#define TONEWALL_WIDE_H

#include <stdint.h>

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

typedef int32_t wide_int __attribute__((vector_size(32))); /* a value a line */
typedef float wide_float __attribute__((vector_size(32)));

#endif
