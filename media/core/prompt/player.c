/* Plays recordings into one leg, in the RTP stream that its peer receives. */
#include "prompt/player.h"

#include "audio/g711.h"
#include "rtp/wire.h"
#include "stores.h"

#include <string.h>

/* RESUME_MS: how long after a play packets of the other side may overlap it. RESUME_TICKS: by how
 * much. LATE_MS: packets that are so late are left out. TALK_READY: samples before mixing begins,
 * 30 ms. DUCK: 12 dB, as a shift. */
enum { RESUME_MS = 200, RESUME_TICKS = 8000, LATE_MS = 100, TALK_READY = 240, DUCK = 2 };
static const uint8_t QUIET[] = {[CODING_MU] = 0xFF, [CODING_A] = 0xD5, [CODING_G722] = 0xFA};

static enum coding coding_of(const struct player *player) { return player->play.recordings[0]->coding; }

/* Before the packet leaves that it is of. */
static void note_stream(const struct player *player) {
    if (player->note == NULL)
        return;
    stores_put64(&player->note->newest, (uint64_t)player->timestamp << 32 | player->seq);
    stores_put64(&player->note->stream, (uint64_t)player->own << 32 | player->ssrc);
}

void player_keep(struct player *player, struct player_note *note, int64_t now_ms) {
    sequence_keep(&player->tracks, &note->tracks);
    player->own = (uint32_t)(note->stream >> 32);
    player->ssrc = (uint32_t)note->stream;
    player->timestamp = (uint32_t)(note->newest >> 32);
    player->seq = (uint16_t)note->newest;
    player->resume_ms = now_ms + RESUME_MS;
    player->note = note;
}

void player_clear(struct player *player) {
    for (int i = 0; i < player->play.count; i++)
        recording_release(player->play.recordings[i]);
    player->play.count = 0;
    explicit_bzero(player->talk, sizeof player->talk);
    player->talked = 0;
    player->talks = false;
}

bool player_end(struct player *player, enum play_end end, int64_t now_ms) {
    if (player->play.count == 0)
        return false;
    player_clear(player);
    player->end = end;
    player->resume_ms = now_ms + RESUME_MS;
    return true;
}

/* The rtp_timestamp of our first packet: that of its time, but never within another packet. */
static uint32_t first_timestamp(const struct departed *departed, int64_t due_ms) {
    uint32_t behind = departed->timestamp + departed->duration;
    uint32_t at = departed->timestamp + (uint32_t)((due_ms - departed->at_ms) * RECORDING_OCTETS_A_MS);
    return rtp_ticks_ahead(at, behind) > 0 ? at : behind;
}

void player_begin(struct player *player, const struct play *play, const struct departed *departed,
                  uint32_t own, int64_t due_ms) {
    player_clear(player);
    if (player->own == 0)
        player->own = own;
    player->ssrc = departed->used ? departed->ssrc : player->own;
    player->timestamp = departed->used ? first_timestamp(departed, due_ms) : (uint32_t)own * 31;
    if (sequence_track(&player->tracks, player->ssrc) == NULL) {
        uint16_t ignored, first = departed->used ? departed->seq : (uint16_t)(own >> 16);
        sequence_pass(&player->tracks, player->ssrc, first, false, &ignored);
    }
    player->play = *play;
    player->end = PLAY_RUNS;
    player->current = 0;
    player->offset = 0;
    player->due_ms = due_ms;
    player->marker = true;
    note_stream(player);
}

/* Keeps samples of the other side; the oldest make room. */
static void add_talk(struct player *player, enum coding law, const uint8_t *codes, size_t count) {
    if (count > TALK_ROOM) {
        codes += count - TALK_ROOM;
        count = TALK_ROOM;
    }
    int over = player->talked + (int)count - TALK_ROOM;
    if (over > 0) {
        memmove(player->talk, player->talk + over, (size_t)(player->talked - over) * sizeof *player->talk);
        player->talked -= over;
    }
    g711_decode_all(law, codes, count, player->talk + player->talked);
    player->talked += (int)count;
    player->talks |= player->talked >= TALK_READY;
}

static void mix_talk(struct player *player, enum coding law, uint8_t *codes) {
    if (player->talked < PLAYER_OCTETS)
        player->talks = false;
    if (!player->talks)
        return;
    for (int i = 0; i < PLAYER_OCTETS; i++) {
        int sample = g711_decode(law, codes[i]) + (player->talk[i] >> DUCK);
        codes[i] = g711_encode(law, sample < -32768 ? -32768 : sample > 32767 ? 32767 : sample);
    }
    player->talked -= PLAYER_OCTETS;
    memmove(player->talk, player->talk + PLAYER_OCTETS, (size_t)player->talked * sizeof *player->talk);
}

/* Whether a packet of the other side's lies where ours have been. */
static bool overlaps(const struct player *player, const struct rtp *rtp, int64_t now_ms) {
    int32_t behind = rtp_ticks_ahead(player->timestamp, rtp->timestamp);
    return now_ms < player->resume_ms && rtp->ssrc == player->ssrc && behind > 0 && behind < RESUME_TICKS;
}

bool player_admit(struct player *player, uint8_t *packet, size_t length, int coding, bool is_event,
                  int64_t now_ms) {
    struct rtp rtp;
    if (!rtp_parse(packet, length, &rtp) || rtp_is_rtcp(&rtp))
        return true;
    bool plays = player->play.count > 0;
    bool withhold = plays ? !is_event : overlaps(player, &rtp, now_ms);
    if (plays && player->play.ducks && coding == (int)coding_of(player) && coding != CODING_G722)
        add_talk(player, (enum coding)coding, packet + rtp.start, rtp.end - rtp.start);
    uint16_t leaves_as;
    if (!sequence_pass(&player->tracks, rtp.ssrc, rtp.seq, withhold, &leaves_as)) {
        sequence_count_unsent(&player->tracks, rtp.ssrc, 1, (int)(rtp.end - rtp.start));
        return false;
    }
    put16(packet + 2, leaves_as);
    if (rtp.ssrc == player->ssrc && rtp_seq_ahead(leaves_as, player->seq) > 0)
        player->seq = leaves_as;
    note_stream(player);
    return true;
}

/* The number of our next packet. Where so many others have come since that its track is gone, the
 * stream goes on all the same: SRTP seals no number twice. */
static uint16_t next_number(struct player *player) {
    uint16_t seq, following = (uint16_t)(player->seq + 1);
    if (!sequence_insert(&player->tracks, player->ssrc, &seq))
        sequence_pass(&player->tracks, player->ssrc, following, false, &seq);
    player->seq = seq;
    return seq;
}

/* Copies what comes next; silence behind the end. False: there is nothing left. */
static bool read_recordings(struct player *player, uint8_t *out) {
    int written = 0;
    enum coding coding = coding_of(player);
    while (written < PLAYER_OCTETS && player->current < player->play.count) {
        const struct recording *recording = player->play.recordings[player->current];
        size_t left = recording->size - player->offset, room = (size_t)(PLAYER_OCTETS - written);
        size_t count = left < room ? left : room;
        memcpy(out + written, recording->octets + player->offset, count);
        written += (int)count;
        player->offset += count;
        if (player->offset == recording->size) {
            player->current++;
            player->offset = 0;
        }
    }
    if (written > 0)
        memset(out + written, QUIET[coding], (size_t)(PLAYER_OCTETS - written));
    return written > 0;
}

/* Time in which nothing could be sent is silence; the recording waits. */
static void skip_late(struct player *player, int64_t now_ms) {
    int64_t late = (now_ms - player->due_ms) / PLAYER_MS;
    if (now_ms - player->due_ms < LATE_MS)
        return;
    player->due_ms += late * PLAYER_MS;
    player->timestamp += (uint32_t)late * PLAYER_OCTETS;
    player->marker = true;
}

size_t player_next(struct player *player, int64_t now_ms, uint8_t out[PLAYER_PACKET]) {
    if (player->play.count == 0 || now_ms < player->due_ms)
        return 0;
    skip_late(player, now_ms);
    if (!read_recordings(player, out + RTP_HEADER)) {
        player_end(player, PLAY_DONE, now_ms);
        return 0;
    }
    if (player->play.ducks && coding_of(player) != CODING_G722)
        mix_talk(player, coding_of(player), out + RTP_HEADER);
    uint16_t seq = next_number(player);
    sequence_count_unsent(&player->tracks, player->ssrc, -1, -PLAYER_OCTETS);
    rtp_put_header(out, &(struct rtp){.type = player->play.type,
                                      .marker = player->marker,
                                      .seq = seq,
                                      .timestamp = player->timestamp,
                                      .ssrc = player->ssrc});
    player->marker = false;
    player->timestamp += PLAYER_OCTETS;
    player->due_ms += PLAYER_MS;
    note_stream(player);
    return PLAYER_PACKET;
}
