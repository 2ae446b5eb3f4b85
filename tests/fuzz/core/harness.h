/* What libFuzzer gives, read as a script: the harness asks for numbers and bytes until none are
 * left. */
#ifndef TONEWALL_HARNESS_H
#define TONEWALL_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A rule of the product that must hold whatever comes. */
#define MUST(rule)                                                                                           \
    do {                                                                                                     \
        if (!(rule)) {                                                                                       \
            fprintf(stderr, "broken at %s:%d: %s\n", __FILE__, __LINE__, #rule);                             \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

struct script {
    const uint8_t *at, *end;
};

static inline bool script_goes_on(const struct script *script) { return script->at < script->end; }

static inline uint8_t script_byte(struct script *script) {
    return script->at < script->end ? *script->at++ : 0;
}

static inline uint16_t script_word(struct script *script) {
    uint16_t high = script_byte(script);
    return (uint16_t)(high << 8 | script_byte(script));
}

/* So many bytes, zeros where the script is over, in a place of their own: what is read or written
 * beyond them is seen. */
static inline uint8_t *script_bytes(struct script *script, size_t length) {
    uint8_t *bytes = calloc(length > 0 ? length : 1, 1);
    size_t left = script_goes_on(script) ? (size_t)(script->end - script->at) : 0,
           there = left < length ? left : length;
    MUST(bytes != NULL);
    if (there > 0) {
        memcpy(bytes, script->at, there);
        script->at += there;
    }
    return bytes;
}

/* The harnesses, one a file. */
int fuzz_packets(const uint8_t *data, size_t size);
int fuzz_relay(const uint8_t *data, size_t size);
int fuzz_texts(const uint8_t *data, size_t size);

#endif
