/* Notices to the other threads: one place for each stream and kind, so that none is lost for want
 * of room.
 *
 * These take `notices_lock` themselves; the lock may be held. */
#ifndef TONEWALL_RELAY_NOTICES_H
#define TONEWALL_RELAY_NOTICES_H

#include "relay/state.h"

#include <stdint.h>

/* Has Python find a notice. One of each stream and kind is kept. */
void relay_notify(struct relay *relay, struct stream *stream, enum notice_kind kind);
/* After a key of the agent's: announces a code that is complete, and has the thread forget in
 * time. */
void relay_note_agent_keys(struct relay *relay, struct stream *stream, int64_t now_ms);
/* Withdraws all notices of a stream that closes. */
void relay_forget_notices(struct relay *relay, struct stream *stream);
/* Withdraws the notices of the capture before. */
void relay_forget_capture_notices(struct relay *relay, struct stream *stream);

#endif
