/* Notices to the other threads: one place for each stream and kind, so that none is lost for want
 * of room.
 *
 * These take `notices_lock` themselves; the lock may be held. */
#ifndef TONEWALL_RELAY_NOTICES_H
#define TONEWALL_RELAY_NOTICES_H

#include "relay/state.h"

/* Has Python find a notice. One of each stream and kind is kept. */
void relay_notify(struct relay *relay, struct stream *stream, enum notice_kind kind);
/* Withdraws all notices of a stream that closes. */
void relay_forget_notices(struct relay *relay, struct stream *stream);
/* Withdraws the notices of the capture before. */
void relay_forget_capture_notices(struct relay *relay, struct stream *stream);

#endif
