/* The socket on which rtpengine servers report keys, and the keys that are wanted.
 *
 * Rule 1: only the configured servers are heard; what nobody wants is wiped unread.
 * Rule 2: what should have been a key and is none, or has no room, ends the capture: none is skipped.
 * Rule 3: a datagram is read into secret memory and wiped before the next. */
#include "dtmf/digit_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct listener *listeners(const struct feed *feed) { return (struct listener *)(void *)feed->secret.bytes; }

static uint8_t *datagram(const struct feed *feed) { return feed->secret.bytes + LISTENERS * sizeof(struct listener); }

bool feed_prepare(struct feed *feed) { return secret_map(&feed->secret, LISTENERS * sizeof(struct listener) + DATAGRAM); }

static struct listener *find(struct feed *feed, int64_t stream) {
    for (struct listener *one = listeners(feed); one < listeners(feed) + LISTENERS; one++)
        if (one->used && one->stream == stream)
            return one;
    return NULL;
}

int feed_open(struct feed *feed, int64_t stream, struct text call, struct text tag) {
    if (call.length > CALL_MOST || tag.length > TAG_MOST)
        return -EINVAL;
    if (find(feed, stream) != NULL)
        return -EEXIST;
    for (struct listener *one = listeners(feed); one < listeners(feed) + LISTENERS; one++)
        if (!one->used) {
            *one = (struct listener){.used = true, .stream = stream, .call_length = call.length, .tag_length = tag.length};
            memcpy(one->call, call.start, call.length);
            memcpy(one->tag, tag.start, tag.length);
            return 0;
        }
    return -ENOSPC;
}

void feed_close(struct feed *feed, int64_t stream) {
    struct listener *one = find(feed, stream);
    if (one != NULL)
        explicit_bzero(one, sizeof *one);
}

static bool is_server(const struct feed *feed, const struct sockaddr_storage *from) {
    for (size_t i = 0; i < feed->server_count; i++)
        if (source_same_host(&feed->servers[i], from))
            return true;
    return false;
}

static void lose(struct listener *one) { /* a number with a hole is worse than none */
    explicit_bzero(one->keys, sizeof one->keys);
    one->count = 0;
    one->reported[KEYED] = false;
    one->reported[OVERFLOW] = one->lost = true;
}

static void hear(struct listener *one, int event, int64_t now_ms) {
    if (one->lost)
        return;
    if (event == NOT_A_KEY) {
        lose(one);
    } else if (presses_heard(&one->presses, event, now_ms)) {
        if (one->count == KEYS) {
            lose(one);
            return;
        }
        one->keys[one->count++] = (uint8_t)"0123456789*#ABCD"[event];
        one->reported[KEYED] = true;
    }
}

static void dispatch(struct feed *feed, const uint8_t *bytes, size_t length, int64_t now_ms) {
    struct record record;
    bool whole = record_parse(bytes, length, &record), wanted = false;
    for (struct listener *one = listeners(feed); one < listeners(feed) + LISTENERS; one++) {
        if (!one->used)
            continue;
        if (!whole) { /* it may have been a key of anybody */
            lose(one);
        } else if (record.call.length == one->call_length && memcmp(record.call.start, one->call, one->call_length) == 0 &&
                   record.tag.length == one->tag_length && memcmp(record.tag.start, one->tag, one->tag_length) == 0) {
            hear(one, record.event, now_ms);
            wanted = true;
        }
    }
    feed->malformed += !whole;
    feed->heard += wanted;
    feed->unwanted += whole && !wanted;
    explicit_bzero(&record, sizeof record);
}

bool feed_receive(struct feed *feed, int64_t now_ms) {
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    uint8_t *bytes = datagram(feed);
    ssize_t got = recvfrom(feed->fd, bytes, DATAGRAM, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &size);
    if (got < 0)
        return false;
    if (!is_server(feed, &from))
        feed->strangers++;
    else /* one that did not fit is malformed by its length */
        dispatch(feed, bytes, (size_t)got, now_ms);
    explicit_bzero(bytes, DATAGRAM);
    return true;
}

int feed_events(struct feed *feed, struct event *out, int room) {
    int taken = 0;
    for (struct listener *one = listeners(feed); one < listeners(feed) + LISTENERS; one++)
        for (int kind = KEYED; kind < EVENT_KINDS; kind++)
            if (one->used && one->reported[kind] && taken < room) {
                out[taken++] = (struct event){one->stream, kind};
                one->reported[kind] = false;
            }
    return taken;
}

int feed_take(struct feed *feed, int64_t stream, uint8_t *into, size_t room) {
    struct listener *one = find(feed, stream);
    if (one == NULL)
        return -ENOENT;
    int taken = (size_t)one->count > room ? (int)room : one->count;
    memcpy(into, one->keys, (size_t)taken);
    one->count -= taken;
    memmove(one->keys, one->keys + taken, (size_t)one->count);
    explicit_bzero(one->keys + one->count, (size_t)taken);
    one->reported[KEYED] = one->count > 0;
    return taken;
}

void feed_free(struct feed *feed) {
    if (feed->fd >= 0)
        close(feed->fd);
    secret_unmap(&feed->secret);
    free(feed->servers);
}
