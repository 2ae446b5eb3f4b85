/* One record of a key, as rtpengine writes it. The twin of media/reference/rtpengine_log.py. */
#include "dtmf/rtpengine_log.h"

#include <string.h>

struct log_reader {
    const uint8_t *at, *end;
};

/* The next octet that is no space, or -1. */
static int skip_space(struct log_reader *reader) {
    while (reader->at < reader->end && memchr(" \t\r\n", *reader->at, 4) != NULL)
        reader->at++;
    return reader->at < reader->end ? *reader->at : -1;
}

static bool accept_octet(struct log_reader *reader, int octet) {
    if (skip_space(reader) != octet)
        return false;
    reader->at++;
    return true;
}

static bool read_string(struct log_reader *reader, struct log_string *out) {
    if (!accept_octet(reader, '"'))
        return false;
    const uint8_t *start = reader->at;
    while (reader->at < reader->end && *reader->at != '"')
        reader->at += *reader->at == '\\' && reader->end - reader->at > 1 ? 2 : 1;
    if (reader->at >= reader->end)
        return false;
    *out = (struct log_string){start, (size_t)(reader->at++ - start)};
    return true;
}

/* A string or a number. */
static bool read_plain(struct log_reader *reader, struct log_string *out) {
    if (skip_space(reader) == '"')
        return read_string(reader, out);
    const uint8_t *start = reader->at;
    while (reader->at < reader->end && memchr("+-.0123456789Ee", *reader->at, 15) != NULL)
        reader->at++;
    *out = (struct log_string){start, (size_t)(reader->at - start)};
    return out->length > 0;
}

static bool skip_array(struct log_reader *reader) {
    struct log_string ignored;
    if (!accept_octet(reader, '['))
        return false;
    if (accept_octet(reader, ']'))
        return true;
    do {
        if (!read_plain(reader, &ignored))
            return false;
    } while (accept_octet(reader, ','));
    return accept_octet(reader, ']');
}

static bool is_text(struct log_string text, const char *name) {
    return text.length == strlen(name) && memcmp(text.start, name, text.length) == 0;
}

static int read_event(struct log_string event) {
    int value = 0;
    if (event.length < 1 || event.length > 2)
        return LOG_NO_KEY;
    for (size_t i = 0; i < event.length; i++) {
        if (event.start[i] < '0' || event.start[i] > '9')
            return LOG_NO_KEY;
        value = value * 10 + event.start[i] - '0';
    }
    return value > 15 ? LOG_NO_KEY : value;
}

bool rtpengine_log_parse(const uint8_t *bytes, size_t length, struct log_record *out) {
    struct log_reader reader = {bytes, bytes + length};
    struct log_string key, value, event = {NULL, 0};
    *out = (struct log_record){.event = LOG_NO_KEY};
    if (length > DATAGRAM || !accept_octet(&reader, '{'))
        return false;
    do {
        if (!read_string(&reader, &key) || !accept_octet(&reader, ':'))
            return false;
        if (skip_space(&reader) == '[') {
            if (!skip_array(&reader))
                return false;
            continue;
        }
        if (!read_plain(&reader, &value))
            return false;
        if (is_text(key, "callid"))
            out->call = value;
        else if (is_text(key, "source_tag"))
            out->tag = value;
        else if (is_text(key, "event"))
            event = value;
    } while (accept_octet(&reader, ','));
    if (!accept_octet(&reader, '}') || skip_space(&reader) != -1)
        return false;
    out->event = read_event(event);
    return out->call.start != NULL && out->tag.start != NULL && event.start != NULL;
}

bool rtpengine_log_is_press(struct log_presses *presses, int event, int64_t now_ms) {
    if (event + 1 == presses->last && !presses->echoed && now_ms - presses->at_ms < ECHO_MS) {
        presses->echoed = true;
        return false;
    }
    *presses = (struct log_presses){.last = event + 1, .at_ms = now_ms};
    return true;
}

void rtpengine_log_constants(const struct constant_sink *sink) { CONSTANTS(sink, ECHO_MS, DATAGRAM); }
