/* The core's end of the socket to the decoder process, which decodes the codecs that the core does
 * not.
 *
 * Rule 1: nobody waits for it: a packet that cannot be asked about at once, or is not answered in
 *         time, is shut.
 * Rule 2: an answer opens or shuts one packet, by its serial, and may say that a tone was in it; or
 *         it says that a key was found in a packet that has left. Nothing else. */
#include "relay/decoder.h"

#include "mask/mask.h"
#include "relay/clock.h"
#include "relay/notices.h"
#include "relay/table.h"
#include "rtp/wire.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* As in media/decoder/messages.py, all little-endian. A question: stream (8 octets), serial (4),
 * what (1), codec (1), policy (1), guard (2), then a payload. An answer: stream (8), serial (4),
 * answer (1). */
enum { QUESTION = 17, ANSWER = 13 };
enum question { QUESTION_AUDIO, QUESTION_EVENT, QUESTION_FORGET, QUESTION_LEFT };
enum decoder_says { DECODER_SHUT, DECODER_OPEN, DECODER_LEAKED, DECODER_TONE };
enum { DECODER_BLOCK_MS = 5 };

static bool send_question(struct relay *relay, struct stream *stream, enum question what, uint32_t serial,
                          enum codec codec, const uint8_t *payload, size_t size) {
    const struct hold *hold = stream->mask.hold;
    uint8_t message[QUESTION + QUEUE_MAX];
    if (relay->decoder_fd < 0 || size > QUEUE_MAX)
        return false;
    put64_le(message, (uint64_t)stream->id);
    put32_le(message + 8, serial);
    message[12] = (uint8_t)what;
    message[13] = (uint8_t)codec;
    message[14] = (uint8_t)(hold != NULL ? hold->options.policy : 0);
    put16_le(message + 15, (uint16_t)(hold != NULL ? hold->options.guard : 0));
    if (size > 0)
        memcpy(message + QUESTION, payload, size);
    bool is_sent = send(relay->decoder_fd, message, QUESTION + size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
    explicit_bzero(message, QUESTION + size);
    stream->decoder_knows |= is_sent && what != QUESTION_FORGET;
    return is_sent;
}

void decoder_set(struct relay *relay, int fd) {
    if (relay->decoder_fd >= 0) {
        epoll_ctl(relay->epoll, EPOLL_CTL_DEL, relay->decoder_fd, NULL);
        close(relay->decoder_fd);
    }
    relay->decoder_fd = fd;
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = &relay->decoder_fd};
    if (fd >= 0 && epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &interest) != 0)
        decoder_set(relay, -1); /* nobody is asked, and nothing leaves */
}

/* The serial of the packet, which now waits; 0: it has no room. */
static uint32_t enqueue(struct relay *relay, struct stream *stream, enum codec codec, const uint8_t *packet,
                        size_t length, int64_t now_ms) {
    if (stream->queue == NULL)
        stream->queue = pool_borrow(&relay->queues);
    if (stream->queue == NULL)
        return 0;
    if (++relay->serial == 0)
        relay->serial = 1;
    return queue_put(stream->queue, codec, packet, length, now_ms, relay->serial) ? relay->serial : 0;
}

bool decoder_ask(struct relay *relay, struct stream *stream, enum codec codec, const uint8_t *packet,
                 size_t length, int64_t now_ms) {
    uint32_t serial = enqueue(relay, stream, codec, packet, length, now_ms);
    if (serial == 0)
        return false;
    const struct hold *hold = stream->mask.hold;
    bool is_mute = hold == NULL || hold->options.policy == POLICY_MUTE,
         is_in_window = now_ms < stream->decoder_shut_ms;
    /* After a loss a phone's decoder goes on otherwise than ours; and a packet of Opus may hold a
     * copy of the audio of the one before it (RFC 6716 section 2.1.7), which nobody here has
     * listened to. */
    bool is_after_loss = !queue_follows(stream->queue, get16(packet + 2));
    bool is_asked =
        send_question(relay, stream, QUESTION_AUDIO, serial, codec, packet + RTP_HEADER, length - RTP_HEADER);
    if (!is_asked || is_mute || is_in_window || is_after_loss)
        queue_answer(stream->queue, serial, false);
    return true;
}

/* The window is kept here too: the other process may be new, busy or away. It adds the tail of a
 * tone, which only it can find. */
void decoder_event(struct relay *relay, struct stream *stream, int64_t now_ms) {
    const struct hold *hold = stream->mask.hold;
    stream->decoder_shut_ms = now_ms + DECODER_BLOCK_MS * (hold != NULL ? hold->options.guard : GUARD);
    if (stream->queue != NULL)
        queue_shut(stream->queue);
    if (stream->mask.types.have_decoded)
        send_question(relay, stream, QUESTION_EVENT, 0, CODEC_NONE, NULL, 0);
}

bool decoder_fill(struct relay *relay, struct stream *stream, struct filling *filling, int64_t now_ms) {
    uint8_t packet[QUEUE_PACKET];
    size_t length = gap_next_filling(filling, packet);
    uint32_t serial = length > 0 ? enqueue(relay, stream, filling->of.codec, packet, length, now_ms) : 0;
    if (serial > 0)
        queue_answer(stream->queue, serial, false);
    return serial > 0;
}

void decoder_left(struct relay *relay, struct stream *stream, enum codec codec, const uint8_t *packet,
                  size_t length) {
    if (stream->mask.on)
        send_question(relay, stream, QUESTION_LEFT, 0, codec, packet + RTP_HEADER, length - RTP_HEADER);
}

void decoder_forget(struct relay *relay, struct stream *stream) {
    if (stream->decoder_knows)
        stream->decoder_knows = !send_question(relay, stream, QUESTION_FORGET, 0, CODEC_NONE, NULL, 0);
    if (stream->queue != NULL)
        pool_give_back(&relay->queues, stream->queue);
    stream->queue = NULL;
    stream->decoder_shut_ms = 0;
}

/* The key has left; nothing leaves after it. */
static void note_leak(struct relay *relay, struct stream *stream) {
    if (stream->mask.on)
        slot_note_shut(stream->slot);
    if (!stream->mask.shut) {
        stream->slot->tally.alarms++;
        relay_notify(relay, stream, NOTICE_LEAKED);
    }
    stream->mask.shut = stream->mask.on;
}

bool decoder_answer(struct relay *relay, struct stream **answered) {
    uint8_t message[ANSWER];
    *answered = NULL;
    if (relay->decoder_fd < 0)
        return false;
    ssize_t got = recv(relay->decoder_fd, message, sizeof message, MSG_DONTWAIT);
    if (got == 0)
        decoder_set(relay, -1);
    if (got < (ssize_t)sizeof message)
        return false;
    struct stream *stream = *relay_find_stream(relay, (int64_t)get64_le(message));
    uint8_t says = message[12];
    if (stream != NULL && says == DECODER_LEAKED)
        note_leak(relay, stream);
    if (stream != NULL && says == DECODER_TONE)
        mask_note_key(&stream->mask, clock_ms());
    if (stream == NULL || stream->queue == NULL)
        return true;
    queue_answer(stream->queue, get32_le(message + 8), says == DECODER_OPEN);
    *answered = stream;
    return true;
}
