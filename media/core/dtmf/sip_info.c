/* The key in the body of a SIP INFO. The twin of media/reference/sip_info.py. */
#include "dtmf/sip_info.h"

#include "dtmf/keys.h"

#include <stdbool.h>

#include <string.h>
#include <strings.h>

enum { SIP_INFO_DIGITS = 6 }; /* of a duration */

static bool is_space(uint8_t octet) { return octet == ' ' || octet == '\t'; }
static bool is_end(uint8_t octet) { return octet == '\r' || octet == '\n'; }

struct info_text {
    const uint8_t *at, *end;
};

static struct info_text trim_text(struct info_text text) {
    while (text.at < text.end && is_space(*text.at))
        text.at++;
    while (text.at < text.end && is_space(text.end[-1]))
        text.end--;
    return text;
}

/* The next line that is not empty, trimmed; false: there is none. */
static bool next_line(const uint8_t **at, const uint8_t *end, struct info_text *line) {
    while (*at < end) {
        const uint8_t *stop = *at;
        while (stop < end && !is_end(*stop))
            stop++;
        *line = trim_text((struct info_text){*at, stop});
        *at = stop < end ? stop + 1 : end;
        if (line->at < line->end)
            return true;
    }
    return false;
}

/* The value behind `name=`; false: the line has another name. */
static bool value_of(struct info_text line, const char *name, struct info_text *value) {
    size_t length = strlen(name);
    if ((size_t)(line.end - line.at) < length || strncasecmp((const char *)line.at, name, length) != 0)
        return false;
    struct info_text rest = trim_text((struct info_text){line.at + length, line.end});
    if (rest.at == rest.end || (*rest.at != '=' && *rest.at != ':'))
        return false;
    *value = trim_text((struct info_text){rest.at + 1, rest.end});
    return true;
}

static int code_of(struct info_text value) {
    static const char keys[] = "0123456789*#ABCD";
    size_t length = (size_t)(value.end - value.at);
    if (length == 2 && value.at[0] == '1' && value.at[1] >= '0' && value.at[1] <= '6')
        return value.at[1] == '6' ? SIP_INFO_NO_KEY : 10 + value.at[1] - '0';
    if (length != 1)
        return SIP_INFO_MALFORMED;
    if (*value.at == '!')
        return SIP_INFO_NO_KEY;
    uint8_t octet = *value.at >= 'a' && *value.at <= 'd' ? (uint8_t)(*value.at - 'a' + 'A') : *value.at;
    const char *found = octet == 0 ? NULL : strchr(keys, octet);
    return found == NULL ? SIP_INFO_MALFORMED : (int)(found - keys);
}

int sip_info_key(const uint8_t *body, size_t length) {
    if (length > SIP_INFO_MAX)
        return SIP_INFO_MALFORMED;
    struct info_text line, only = {NULL, NULL}, value;
    int lines = 0;
    for (const uint8_t *at = body, *end = body + length; next_line(&at, end, &line); lines++) {
        if (value_of(line, "signal", &value))
            return code_of(value);
        only = line;
    }
    return lines == 1 ? code_of(only) : SIP_INFO_MALFORMED;
}

int sip_info_duration_ms(const uint8_t *body, size_t length) {
    struct info_text line, value;
    for (const uint8_t *at = body, *end = body + length; next_line(&at, end, &line);) {
        if (!value_of(line, "duration", &value))
            continue;
        int ms = 0, digits = 0;
        for (; value.at < value.end && *value.at >= '0' && *value.at <= '9' && digits < SIP_INFO_DIGITS;
             value.at++, digits++)
            ms = 10 * ms + *value.at - '0';
        if (digits == 0 || value.at < value.end)
            return SIP_INFO_USUAL_MS;
        return ms < SIP_INFO_MIN_MS ? SIP_INFO_MIN_MS : ms > SIP_INFO_MAX_MS ? SIP_INFO_MAX_MS : ms;
    }
    return SIP_INFO_USUAL_MS;
}

void sip_info_constants(const struct constant_sink *sink) {
    CONSTANTS(sink, SIP_INFO_MAX, SIP_INFO_NO_KEY, SIP_INFO_MALFORMED, SIP_INFO_MIN_MS, SIP_INFO_USUAL_MS,
              SIP_INFO_MAX_MS);
}
