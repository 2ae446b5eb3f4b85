/* One record of a key, as rtpengine writes it. The twin of media/reference/rtpengine_log.py. */
#include "dtmf/digit_socket.h"

#include <string.h>

struct reader {
    const uint8_t *at, *end;
};

static int skip(struct reader *reader) { /* the next octet that is no space, or -1 */
    while (reader->at < reader->end && memchr(" \t\r\n", *reader->at, 4) != NULL)
        reader->at++;
    return reader->at < reader->end ? *reader->at : -1;
}

static bool take(struct reader *reader, int octet) {
    if (skip(reader) != octet)
        return false;
    reader->at++;
    return true;
}

static bool string(struct reader *reader, struct text *out) {
    if (!take(reader, '"'))
        return false;
    const uint8_t *start = reader->at;
    while (reader->at < reader->end && *reader->at != '"')
        reader->at += *reader->at == '\\' && reader->end - reader->at > 1 ? 2 : 1;
    if (reader->at >= reader->end)
        return false;
    *out = (struct text){start, (size_t)(reader->at++ - start)};
    return true;
}

static bool plain(struct reader *reader, struct text *out) { /* a string or a number */
    if (skip(reader) == '"')
        return string(reader, out);
    const uint8_t *start = reader->at;
    while (reader->at < reader->end && memchr("+-.0123456789Ee", *reader->at, 15) != NULL)
        reader->at++;
    *out = (struct text){start, (size_t)(reader->at - start)};
    return out->length > 0;
}

static bool array(struct reader *reader) {
    struct text ignored;
    if (!take(reader, '['))
        return false;
    if (take(reader, ']'))
        return true;
    do {
        if (!plain(reader, &ignored))
            return false;
    } while (take(reader, ','));
    return take(reader, ']');
}

static bool is(struct text text, const char *name) {
    return text.length == strlen(name) && memcmp(text.start, name, text.length) == 0;
}

static int code(struct text event) {
    int value = 0;
    if (event.length < 1 || event.length > 2)
        return NOT_A_KEY;
    for (size_t i = 0; i < event.length; i++) {
        if (event.start[i] < '0' || event.start[i] > '9')
            return NOT_A_KEY;
        value = value * 10 + event.start[i] - '0';
    }
    return value > 15 ? NOT_A_KEY : value;
}

bool record_parse(const uint8_t *bytes, size_t length, struct record *out) {
    struct reader reader = {bytes, bytes + length};
    struct text key, value, event = {NULL, 0};
    *out = (struct record){.event = NOT_A_KEY};
    if (length > DATAGRAM || !take(&reader, '{'))
        return false;
    do {
        if (!string(&reader, &key) || !take(&reader, ':'))
            return false;
        if (skip(&reader) == '[') {
            if (!array(&reader))
                return false;
            continue;
        }
        if (!plain(&reader, &value))
            return false;
        if (is(key, "callid"))
            out->call = value;
        else if (is(key, "source_tag"))
            out->tag = value;
        else if (is(key, "event"))
            event = value;
    } while (take(&reader, ','));
    if (!take(&reader, '}') || skip(&reader) != -1)
        return false;
    out->event = code(event);
    return out->call.start != NULL && out->tag.start != NULL && event.start != NULL;
}

bool presses_heard(struct presses *presses, int event, int64_t now_ms) {
    if (event + 1 == presses->last && !presses->echoed && now_ms - presses->at_ms < ECHO_MS) {
        presses->echoed = true;
        return false;
    }
    *presses = (struct presses){.last = event + 1, .at_ms = now_ms};
    return true;
}
