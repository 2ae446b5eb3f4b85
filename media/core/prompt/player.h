/* Plays recordings into one leg, in the RTP stream that its peer receives, without a clock or a
 * socket.
 *
 * Rule 1: the stream goes on: its SSRC, numbers without a gap, rtp_timestamps that never go back as
 *         long as the other side's go on with time.
 * Rule 2: while recordings play, packets of audio leave by our own timer alone, whether the other
 *         side sends any or not. Nothing of what others send or key changes when they leave. */
#ifndef TONEWALL_PROMPT_PLAYER_H
#define TONEWALL_PROMPT_PLAYER_H

#include "prompt/recording.h"
#include "rtp/rtp.h"
#include "rtp/sequence.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PLAYER_RECORDINGS: that one play joins. PLAYER_MS: of a packet, and between two. TALK_ROOM:
 * samples of the other side's audio that wait to be mixed, 60 ms. */
enum { PLAYER_RECORDINGS = 64, PLAYER_MS = 20, PLAYER_OCTETS = PLAYER_MS * RECORDING_OCTETS_A_MS };
enum { PLAYER_PACKET = RTP_HEADER + PLAYER_OCTETS, TALK_ROOM = 480 };

enum play_end { PLAY_RUNS = 0, PLAY_DONE = 1, PLAY_KEY = 2, PLAY_STOPPED = 3 };

/* Recordings one after another. `ducks`: the other side's audio goes on below them, 12 dB softer
 * (G.711 alone); else they take its place. `barge_in`: a key of the customer's ends it. */
struct play {
    int64_t number; /* of whoever asked for it */
    uint8_t type; /* the payload type */
    bool ducks, barge_in;
    int count;
    struct recording *recordings[PLAYER_RECORDINGS]; /* of one coding, held */
};

/* The newest packet that left for a leg, in units of 8 kHz. */
struct departed {
    bool used;
    uint8_t type;
    uint16_t seq; /* as it was given to the player */
    uint32_t ssrc, timestamp, duration;
    int64_t at_ms;
};

/* What goes on of a player in another process (docs/adr/0073): the stream, and nothing of what is
 * played into it. */
struct player_note {
    uint64_t stream; /* `own` and `ssrc`; 0: nothing has played */
    uint64_t newest; /* `timestamp` and `seq` */
    struct track_notes tracks;
};

/* All zeros: nothing has played. Packets pass through it from the first play on, for their numbers
 * are others from then on. */
struct player {
    struct play play;
    enum play_end end;
    int64_t due_ms, resume_ms; /* of the next packet; until when a packet of the peer's may overlap ours */
    int current; /* recording */
    size_t offset; /* in it */
    bool marker; /* of the next packet */
    uint32_t own, ssrc, timestamp; /* `own`: the SSRC where no other side has sent anything */
    uint16_t seq; /* the newest number that left under `ssrc` since the play began */
    struct tracks tracks;
    struct player_note *note; /* not owned; NULL: nobody goes on with it */
    int16_t talk[TALK_ROOM];
    int talked; /* samples in it */
    bool talks; /* enough have come */
};

/* Goes on with what is noted there, once nothing plays any more, and notes what changes from now
 * on. */
void player_keep(struct player *player, struct player_note *note, int64_t now_ms);
/* Begins to play, at `due_ms`; what played before ends. `own`: an SSRC that is used where the leg
 * has received nothing. Takes over the recordings that `play` holds. */
void player_begin(struct player *player, const struct play *play, const struct departed *departed,
                  uint32_t own, int64_t due_ms);
/* Ends the play, if it runs. Whether it did. */
bool player_end(struct player *player, enum play_end end, int64_t now_ms);
/* Whether a packet of the other side's leaves; renumbers it in place. `coding`: of its audio, -1
 * where it is another; `is_event`: it is of a telephone-event. */
bool player_admit(struct player *player, uint8_t *packet, size_t length, int coding, bool is_event,
                  int64_t now_ms);
/* Writes the packet that is due. Returns its octets; 0: none is, or the play has ended. */
size_t player_next(struct player *player, int64_t now_ms, uint8_t out[PLAYER_PACKET]);
/* Lets the recordings go. */
void player_clear(struct player *player);

#endif
