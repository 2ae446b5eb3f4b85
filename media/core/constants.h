/* Numbers that the Python reference of the core has, too: a test compares both
 * (tests/unit/media/core/test_constants.py). */
#ifndef TONEWALL_CONSTANTS_H
#define TONEWALL_CONSTANTS_H

#include <stddef.h>

/* Takes numbers with their names, which commas part; those of a table come one after another. */
struct constant_sink {
    void (*take)(void *into, const char *names, const double *values, size_t count);
    void *into;
};

#define CONSTANTS(sink, ...)                                                                                 \
    ((sink)->take((sink)->into, #__VA_ARGS__, (const double[]){__VA_ARGS__},                                 \
                  sizeof((const double[]){__VA_ARGS__}) / sizeof(double)))
#define CONSTANT_TABLE(sink, name)                                                                           \
    for (size_t at_##name = 0; at_##name < sizeof(name) / sizeof *(name); at_##name++)                       \
    (sink)->take((sink)->into, #name, (const double[]){(name)[at_##name]}, 1)

#endif
