/* Stores to memory that another process reads once this one was killed. */
#ifndef TONEWALL_STORES_H
#define TONEWALL_STORES_H

#include <stdint.h>

/* Keeps the compiler from moving stores over it. No more is needed: whoever reads them does so once
 * the writer is dead, and the kernel has seen to all of its stores. */
static inline void stores_part(void) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

/* One store, not torn, before all that follow. */
static inline void stores_put64(uint64_t *at, uint64_t value) {
    __atomic_store_n(at, value, __ATOMIC_RELAXED);
    stores_part();
}

/* The same of 32 bits. */
static inline void stores_put32(uint32_t *at, uint32_t value) {
    __atomic_store_n(at, value, __ATOMIC_RELAXED);
    stores_part();
}

#endif
