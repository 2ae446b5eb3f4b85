/* The socket on which rtpengine servers report keys, and the keys that are wanted.
 *
 * Rule 1: only datagrams of the configured servers are read; keys that nobody wants are wiped.
 * Rule 2: a report that should be a key's and is not, or a key without room, ends the capture: no
 *         key is skipped.
 * Rule 3: a datagram is read into secret memory and wiped before the next. */
#include "dtmf/digit_socket.h"

#include "rtp/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct listener *listeners(const struct digit_socket *digits) {
    return (struct listener *)(void *)digits->secret.bytes;
}

static uint8_t *datagram(const struct digit_socket *digits) {
    return digits->secret.bytes + LISTENERS * sizeof(struct listener);
}

bool digit_socket_prepare(struct digit_socket *digits) {
    return secret_map(&digits->secret, LISTENERS * sizeof(struct listener) + DATAGRAM);
}

static struct listener *find_listener(struct digit_socket *digits, int64_t stream) {
    for (struct listener *one = listeners(digits); one < listeners(digits) + LISTENERS; one++)
        if (one->used && one->stream == stream)
            return one;
    return NULL;
}

int digit_socket_open(struct digit_socket *digits, int64_t stream, struct log_string call,
                      struct log_string tag) {
    if (call.length > CALL_ID_MAX || tag.length > TAG_MAX)
        return -EINVAL;
    if (find_listener(digits, stream) != NULL)
        return -EEXIST;
    for (struct listener *one = listeners(digits); one < listeners(digits) + LISTENERS; one++)
        if (!one->used) {
            *one = (struct listener){
                .used = true, .stream = stream, .call_length = call.length, .tag_length = tag.length};
            memcpy(one->call, call.start, call.length);
            memcpy(one->tag, tag.start, tag.length);
            return 0;
        }
    return -ENOSPC;
}

void digit_socket_close(struct digit_socket *digits, int64_t stream) {
    struct listener *one = find_listener(digits, stream);
    if (one != NULL)
        explicit_bzero(one, sizeof *one);
}

static bool is_server(const struct digit_socket *digits, const struct sockaddr_storage *from) {
    for (size_t i = 0; i < digits->server_count; i++)
        if (source_same_host(&digits->servers[i], from))
            return true;
    return false;
}

/* A number with a hole is worse than none. */
static void lose_key(struct listener *one) {
    explicit_bzero(one->keys, sizeof one->keys);
    one->count = 0;
    one->reported[NOTICE_KEYED] = false;
    one->reported[NOTICE_OVERFLOW] = one->lost = true;
}

static void take_report(struct listener *one, int event, int64_t now_ms) {
    if (one->lost)
        return;
    if (event == LOG_NO_KEY) {
        lose_key(one);
    } else if (rtpengine_log_is_press(&one->presses, event, now_ms)) {
        if (one->count == KEYS) {
            lose_key(one);
            return;
        }
        one->keys[one->count++] = keys_ascii(event);
        one->reported[NOTICE_KEYED] = true;
    }
}

static void dispatch_datagram(struct digit_socket *digits, const uint8_t *bytes, size_t length,
                              int64_t now_ms) {
    struct log_record record;
    bool whole = rtpengine_log_parse(bytes, length, &record), wanted = false;
    for (struct listener *one = listeners(digits); one < listeners(digits) + LISTENERS; one++) {
        if (!one->used)
            continue;
        if (!whole) { /* it may have been a key of anybody */
            lose_key(one);
        } else if (record.call.length == one->call_length &&
                   memcmp(record.call.start, one->call, one->call_length) == 0 &&
                   record.tag.length == one->tag_length &&
                   memcmp(record.tag.start, one->tag, one->tag_length) == 0) {
            take_report(one, record.event, now_ms);
            wanted = true;
        }
    }
    digits->malformed += !whole;
    digits->accepted += wanted;
    digits->unwanted += whole && !wanted;
    explicit_bzero(&record, sizeof record);
}

bool digit_socket_receive(struct digit_socket *digits, int64_t now_ms) {
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    uint8_t *bytes = datagram(digits);
    ssize_t got =
        recvfrom(digits->fd, bytes, DATAGRAM, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &size);
    if (got < 0)
        return false;
    if (!is_server(digits, &from))
        digits->foreign_source++;
    else /* one that did not fit is malformed by its length */
        dispatch_datagram(digits, bytes, (size_t)got, now_ms);
    explicit_bzero(bytes, DATAGRAM);
    return true;
}

int digit_socket_notices(struct digit_socket *digits, struct notice *out, int room) {
    int moved = 0;
    for (struct listener *one = listeners(digits); one < listeners(digits) + LISTENERS; one++)
        for (int kind = NOTICE_KEYED; kind < NOTICE_KINDS; kind++)
            if (one->used && one->reported[kind] && moved < room) {
                out[moved++] = (struct notice){one->stream, kind};
                one->reported[kind] = false;
            }
    return moved;
}

int digit_socket_take(struct digit_socket *digits, int64_t stream, uint8_t *into, size_t room) {
    struct listener *one = find_listener(digits, stream);
    if (one == NULL)
        return -ENOENT;
    int moved = (size_t)one->count > room ? (int)room : one->count;
    memcpy(into, one->keys, (size_t)moved);
    one->count -= moved;
    memmove(one->keys, one->keys + moved, (size_t)one->count);
    explicit_bzero(one->keys + one->count, (size_t)moved);
    one->reported[NOTICE_KEYED] = one->count > 0;
    return moved;
}

void digit_socket_free(struct digit_socket *digits) {
    if (digits->fd >= 0)
        close(digits->fd);
    secret_unmap(&digits->secret);
    free(digits->servers);
}
