/* The last look at a packet before it leaves while masked. */
#ifndef TONEWALL_MASK_LEAKS_H
#define TONEWALL_MASK_LEAKS_H

#include "mask/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a packet that is to leave while masked holds a key, as an event or a tone; then the mask
 * is shut. */
bool mask_leaks(struct mask *mask, const uint8_t *packet, size_t length);

#endif
