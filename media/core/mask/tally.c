/* What one mask has kept from the agent, and what has left under it. */
#include "mask/tally.h"

#include "audio/canary.h"
#include "rtp/rtp.h"

void tally_begin(struct tally *tally, int64_t wall_ms) { *tally = (struct tally){.since_ms = wall_ms}; }

void tally_end(struct tally *tally, const struct mask *mask, int64_t wall_ms) {
    tally->keys = mask_key_figures(mask);
    tally->until_ms = wall_ms;
}

bool tally_goes_on(const struct tally *tally) { return tally->since_ms != 0 && tally->until_ms == 0; }

struct tally tally_read(const struct tally *tally, const struct mask *mask, int64_t wall_ms) {
    struct tally now = *tally;
    if (mask->on)
        tally_end(&now, mask, wall_ms);
    return now;
}

void tally_count_decided(struct tally *tally, const struct decision *decision, size_t came) {
    tally->events += decision->opens_window;
    if (decision->verdict == VERDICT_WITHHOLD || decision->verdict == VERDICT_MALFORMED)
        tally_count_stopped(tally, came);
}

void tally_count_stopped(struct tally *tally, size_t octets) {
    tally->withheld++;
    tally->octets += octets;
}

bool tally_sees_event(const struct mask *mask, const uint8_t *packet, size_t length) {
    struct rtp rtp;
    if (!rtp_parse(packet, length, &rtp))
        return false;
    enum type_kind kind = mask->types.kinds[rtp.type];
    return kind == TYPE_EVENT || kind == TYPE_RED || canary_sees(packet + rtp.start, rtp.end - rtp.start);
}
