/* The table of streams. All with the lock held. */
#ifndef TONEWALL_RELAY_TABLE_H
#define TONEWALL_RELAY_TABLE_H

#include "relay/state.h"

/* The place in its bucket: `*at` is NULL where there is no such stream. */
struct stream **relay_find_stream(struct relay *relay, int64_t id);
/* Wipes the keys that were kept; none is kept any more. */
void relay_stop_capture(struct stream *stream);
/* Frees the streams that were closed. Only where the thread holds nothing that epoll has named of
 * them. */
void relay_free_closed(struct relay *relay);

#endif
