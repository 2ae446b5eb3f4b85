/* Puts a stream's mask on and takes it off. With the lock held. */
#ifndef TONEWALL_RELAY_MASKING_H
#define TONEWALL_RELAY_MASKING_H

#include "relay/state.h"

#include <stdint.h>

/* 0, or -ENOMEM: the stream is masked, and no audio leaves. */
int relay_set_mask(struct relay *relay, struct stream *stream, const struct command *command, int64_t now_ms);

#endif
