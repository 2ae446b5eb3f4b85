/* Values of four lines of DTMF, rows or columns, side by side: what the registers of every processor hold. */
#ifndef TONEWALL_WIDE_H
#define TONEWALL_WIDE_H

#include <stdint.h>

typedef int32_t wide_int __attribute__((vector_size(16)));
typedef float wide_float __attribute__((vector_size(16)));

#endif
