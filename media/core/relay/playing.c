/* Prompts that a stream's legs are played: all that are due leave together, every 20 ms, in one of
 * four groups of streams, so that the thread wakes seldom and no group is large. */
#include "relay/playing.h"

#include "relay/notices.h"
#include "relay/send.h"
#include "rtp/rtcp.h"
#include "rtp/rtcp_report.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

enum { GROUPS = 4, GROUP_MS = PLAYER_MS / GROUPS };

/* The next time of the stream's group. */
static int64_t next_due_ms(const struct stream *stream, int64_t now_ms) {
    int64_t phase = (int64_t)((uint64_t)stream->id % GROUPS) * GROUP_MS;
    return now_ms + PLAYER_MS - (now_ms - phase) % PLAYER_MS;
}

static void list_stream(struct relay *relay, struct stream *stream) {
    if (stream->plays)
        return;
    stream->plays = true;
    stream->next_playing = relay->playing;
    relay->playing = stream;
}

static struct player *new_player(struct stream *stream, int leg, int64_t now_ms) {
    struct player *player = calloc(1, sizeof *player);
    if (player != NULL)
        player_keep(player, &stream->slot->players[leg], now_ms);
    return player;
}

bool relay_keep_players(struct stream *stream, int64_t now_ms) {
    for (int leg = CALLER; leg <= AGENT; leg++)
        if (stream->slot->players[leg].stream != 0 &&
            (stream->players[leg] = new_player(stream, leg, now_ms)) == NULL)
            return false;
    return true;
}

int relay_play(struct relay *relay, struct stream *stream, const struct command *command, int64_t now_ms) {
    struct player **player = &stream->players[command->leg];
    uint32_t own = 0;
    while (own == 0)
        if (getrandom(&own, sizeof own, 0) != sizeof own)
            return -errno;
    if (*player == NULL && (*player = new_player(stream, command->leg, now_ms)) == NULL)
        return -ENOMEM;
    int64_t due_ms = next_due_ms(stream, now_ms);
    player_begin(*player, command->play, &stream->slot->departed[command->leg], own, due_ms);
    list_stream(relay, stream);
    if (due_ms < relay->play_due_ms)
        relay->play_due_ms = due_ms;
    return 0;
}

static bool end_play(struct relay *relay, struct stream *stream, int leg, enum play_end end, int64_t now_ms) {
    struct player *player = stream->players[leg];
    bool ended = player != NULL && player_end(player, end, now_ms);
    if (ended)
        relay_notify(relay, stream, NOTICE_PLAYED);
    return ended;
}

int relay_stop_play(struct relay *relay, struct stream *stream, int leg, int64_t now_ms) {
    return end_play(relay, stream, leg, PLAY_STOPPED, now_ms);
}

void relay_barge_in(struct relay *relay, struct stream *stream, int64_t now_ms) {
    for (int leg = CALLER; leg <= AGENT; leg++)
        if (stream->players[leg] != NULL && stream->players[leg]->play.barge_in)
            end_play(relay, stream, leg, PLAY_KEY, now_ms);
}

/* Sends what is due into one leg. When the next packet is; INT64_MAX: nothing plays. */
static int64_t play_leg(struct relay *relay, struct stream *stream, int leg, int64_t now_ms) {
    struct player *player = stream->players[leg];
    uint8_t out[PLAYER_PACKET + SRTP_ROOM];
    if (player == NULL || player->play.count == 0)
        return INT64_MAX;
    for (size_t length; (length = player_next(player, now_ms, out)) > 0;)
        if (relay_send_own(stream, leg, out, length))
            stream->slot->counters[leg].sent++;
    if (player->play.count > 0)
        return player->due_ms;
    relay_notify(relay, stream, NOTICE_PLAYED);
    return INT64_MAX;
}

void relay_play_due(struct relay *relay, int64_t now_ms) {
    int64_t due_ms = INT64_MAX;
    for (struct stream **at = &relay->playing; *at != NULL;) {
        struct stream *stream = *at;
        int64_t stream_ms = INT64_MAX;
        for (int leg = CALLER; leg <= AGENT; leg++) {
            int64_t leg_ms = play_leg(relay, stream, leg, now_ms);
            stream_ms = leg_ms < stream_ms ? leg_ms : stream_ms;
        }
        due_ms = stream_ms < due_ms ? stream_ms : due_ms;
        stream->plays = stream_ms != INT64_MAX;
        if (stream->plays)
            at = &stream->next_playing;
        else
            *at = stream->next_playing;
    }
    relay->play_due_ms = due_ms;
}

void relay_correct_rtcp(struct stream *stream, int leg, uint8_t *packet, size_t length) {
    const struct player *into_other = stream->players[!leg], *into_own = stream->players[leg];
    if (!rtcp_is(packet, length))
        return;
    if (into_other != NULL)
        rtcp_report_as_sent(&into_other->tracks, packet, length);
    if (into_own != NULL)
        rtcp_report_as_received(&into_own->tracks, packet, length);
}

void relay_drop_players(struct relay *relay, struct stream *stream) {
    struct stream **at = &relay->playing;
    while (*at != NULL && *at != stream)
        at = &(*at)->next_playing;
    if (*at != NULL)
        *at = stream->next_playing;
    for (int leg = CALLER; leg <= AGENT; leg++)
        if (stream->players[leg] != NULL) {
            player_clear(stream->players[leg]);
            free(stream->players[leg]);
            stream->players[leg] = NULL;
        }
}
