/* Byte access: integers of a packet in network order (RFC 791), and of our own messages in
 * little-endian. */
#ifndef TONEWALL_RTP_WIRE_H
#define TONEWALL_RTP_WIRE_H

#include <stdint.h>

static inline uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static inline uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }
static inline void put16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}
static inline void put32(uint8_t *at, uint32_t value) {
    put16(at, (uint16_t)(value >> 16));
    put16(at + 2, (uint16_t)value);
}

static inline uint16_t get16_le(const uint8_t *at) { return (uint16_t)(at[1] << 8 | at[0]); }
static inline uint32_t get32_le(const uint8_t *at) { return (uint32_t)get16_le(at + 2) << 16 | get16_le(at); }
static inline uint64_t get64_le(const uint8_t *at) { return (uint64_t)get32_le(at + 4) << 32 | get32_le(at); }
static inline void put16_le(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}
static inline void put32_le(uint8_t *at, uint32_t value) {
    put16_le(at, (uint16_t)value);
    put16_le(at + 2, (uint16_t)(value >> 16));
}
static inline void put64_le(uint8_t *at, uint64_t value) {
    put32_le(at, (uint32_t)value);
    put32_le(at + 4, (uint32_t)(value >> 32));
}

#endif
