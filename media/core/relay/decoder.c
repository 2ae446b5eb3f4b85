/* The core's end of the socket to the decoder process (media/decoder/process.py), which listens where the core cannot.
 *
 * Rule 1: nobody waits for it: what cannot be asked at once, and what is not answered in time, is shut.
 * Rule 2: an answer opens one packet, by its serial, or shuts it and may say that it was for a tone, or says that a key was heard in
 * what left; nothing else. */
#include "relay/relay.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* As in media/decoder/messages.py: stream, serial, what, codec, policy, guard; then a payload. All little-endian. */
enum { ASKED = 17, ANSWERED = 13, MOST_ANSWERS = 64, BLOCK_MS = 5 };
enum what { AUDIO, EVENT, FORGET, LEFT };
enum said { SAID_SHUT, SAID_OPEN, SAID_LEAKED, SAID_TONE };

static uint8_t *put(uint8_t *at, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

static uint64_t get(const uint8_t *at, int bytes) {
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

static bool tell(struct relay *relay, struct stream *stream, enum what what, uint32_t serial, enum codec codec,
                 const uint8_t *payload, size_t size) {
    const struct hold *hold = stream->mask.hold;
    uint8_t message[ASKED + QUEUE_MOST], *at = put(message, (uint64_t)stream->id, 8);
    if (relay->decoder < 0 || size > QUEUE_MOST)
        return false;
    at = put(put(put(at, serial, 4), what, 1), codec, 1);
    at = put(put(at, hold != NULL ? hold->manner.policy : 0, 1), hold != NULL ? (uint64_t)hold->manner.guard : 0, 2);
    if (size > 0)
        memcpy(at, payload, size);
    bool told = send(relay->decoder, message, ASKED + size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
    explicit_bzero(message, ASKED + size);
    stream->listened_to |= told && what != FORGET;
    return told;
}

void decoder_set(struct relay *relay, int fd) {
    if (relay->decoder >= 0) {
        epoll_ctl(relay->epoll, EPOLL_CTL_DEL, relay->decoder, NULL);
        close(relay->decoder);
    }
    relay->decoder = fd;
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = &relay->decoder};
    if (fd >= 0 && epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &interest) != 0)
        decoder_set(relay, -1); /* nothing is asked, and nothing leaves */
}

/* The serial of the packet that waits now; 0: it does not. */
static uint32_t wait_in_queue(struct relay *relay, struct stream *stream, enum codec codec, const uint8_t *packet, size_t length,
                              int64_t now_ms) {
    if (stream->queue == NULL && (stream->queue = pool_borrow(&relay->queues)) == NULL)
        return 0;
    if (++relay->asked == 0)
        relay->asked = 1;
    return queue_put(stream->queue, codec, packet, length, now_ms, relay->asked) ? relay->asked : 0;
}

bool decoder_ask(struct relay *relay, struct stream *stream, enum codec codec, const uint8_t *packet, size_t length,
                 int64_t now_ms) {
    uint32_t serial = wait_in_queue(relay, stream, codec, packet, length, now_ms);
    if (serial == 0)
        return false;
    const struct hold *hold = stream->mask.hold;
    bool is_mute = hold == NULL || hold->manner.policy == POLICY_MUTE, is_in_window = now_ms < stream->shut_until_ms;
    /* After a loss a phone's decoder goes on otherwise than ours; and a packet of Opus may hold a copy of what the one before it
     * said (RFC 6716 section 2.1.7), which nobody here has heard. */
    bool is_after_loss = !queue_follows(stream->queue, (uint16_t)(packet[2] << 8 | packet[3]));
    bool told = tell(relay, stream, AUDIO, serial, codec, packet + RTP_HEADER, length - RTP_HEADER);
    if (!told || is_mute || is_in_window || is_after_loss)
        queue_answer(stream->queue, serial, false);
    return true;
}

/* The window is kept here too: the other process may be new, busy or away. It adds what only it can hear: a tail of tone. */
void decoder_event(struct relay *relay, struct stream *stream, int64_t now_ms) {
    const struct hold *hold = stream->mask.hold;
    stream->shut_until_ms = now_ms + BLOCK_MS * (hold != NULL ? hold->manner.guard : GUARD);
    if (stream->queue != NULL)
        queue_shut(stream->queue);
    if (stream->mask.has_decoded)
        tell(relay, stream, EVENT, 0, CODEC_NONE, NULL, 0);
}

/* The event has shut all that waits, so that each leaves at once. */
void decoder_fill(struct relay *relay, struct stream *stream, struct filling *filling, int64_t now_ms) {
    uint8_t packet[QUEUE_PACKET];
    for (size_t length; (length = filling_next(filling, packet)) > 0;) {
        uint32_t serial = wait_in_queue(relay, stream, filling->of.codec, packet, length, now_ms);
        if (serial == 0)
            return;
        queue_answer(stream->queue, serial, false);
        release(relay, stream, false);
    }
}

void decoder_left(struct relay *relay, struct stream *stream, enum codec codec, const uint8_t *packet, size_t length) {
    if (stream->mask.on)
        tell(relay, stream, LEFT, 0, codec, packet + RTP_HEADER, length - RTP_HEADER);
}

/* It has left; nothing after it does. */
static void hear_leak(struct relay *relay, struct stream *stream) {
    if (!stream->mask.shut)
        report(relay, stream, LEAKED);
    stream->mask.shut = stream->mask.on;
}

void decoder_forget(struct relay *relay, struct stream *stream) {
    if (stream->listened_to)
        stream->listened_to = !tell(relay, stream, FORGET, 0, CODEC_NONE, NULL, 0);
    if (stream->queue != NULL)
        pool_give_back(&relay->queues, stream->queue);
    stream->queue = NULL;
    stream->shut_until_ms = 0;
}

void decoder_hear(struct relay *relay) {
    for (int i = 0; i < MOST_ANSWERS && relay->decoder >= 0; i++) {
        uint8_t message[ANSWERED];
        ssize_t got = recv(relay->decoder, message, sizeof message, MSG_DONTWAIT);
        if (got == 0)
            decoder_set(relay, -1);
        if (got < (ssize_t)sizeof message)
            return;
        struct stream *stream = *find_stream(relay, (int64_t)get(message, 8));
        if (stream != NULL && message[12] == SAID_LEAKED)
            hear_leak(relay, stream);
        if (stream != NULL && message[12] == SAID_TONE)
            mask_key(&stream->mask, clock_ms());
        if (stream == NULL || stream->queue == NULL)
            continue;
        queue_answer(stream->queue, (uint32_t)get(message + 8, 4), message[12] == SAID_OPEN);
        release(relay, stream, false);
    }
}
