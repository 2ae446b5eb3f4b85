/* The key in the body of a SIP INFO. The twin of media/reference/sip_info.py. */
#include "core.h"

#include <string.h>
#include <strings.h>

static bool is_space(uint8_t octet) { return octet == ' ' || octet == '\t'; }
static bool is_end(uint8_t octet) { return octet == '\r' || octet == '\n'; }

struct text {
    const uint8_t *at, *end;
};

static struct text trimmed(struct text text) {
    while (text.at < text.end && is_space(*text.at))
        text.at++;
    while (text.at < text.end && is_space(text.end[-1]))
        text.end--;
    return text;
}

/* The next line that is not empty, trimmed; false: there is none. */
static bool next_line(const uint8_t **at, const uint8_t *end, struct text *line) {
    while (*at < end) {
        const uint8_t *stop = *at;
        while (stop < end && !is_end(*stop))
            stop++;
        *line = trimmed((struct text){*at, stop});
        *at = stop < end ? stop + 1 : end;
        if (line->at < line->end)
            return true;
    }
    return false;
}

/* What stands behind `name=`; false: the line is of something else. */
static bool is_named(struct text line, const char *name, struct text *value) {
    size_t length = strlen(name);
    if ((size_t)(line.end - line.at) < length || strncasecmp((const char *)line.at, name, length) != 0)
        return false;
    struct text rest = trimmed((struct text){line.at + length, line.end});
    if (rest.at == rest.end || (*rest.at != '=' && *rest.at != ':'))
        return false;
    *value = trimmed((struct text){rest.at + 1, rest.end});
    return true;
}

static int code_of(struct text value) {
    static const char keys[] = "0123456789*#ABCD";
    size_t length = (size_t)(value.end - value.at);
    if (length == 2 && value.at[0] == '1' && value.at[1] >= '0' && value.at[1] <= '6')
        return value.at[1] == '6' ? INFO_NO_KEY : 10 + value.at[1] - '0';
    if (length != 1)
        return INFO_MALFORMED;
    if (*value.at == '!')
        return INFO_NO_KEY;
    uint8_t octet = *value.at >= 'a' && *value.at <= 'd' ? (uint8_t)(*value.at - 'a' + 'A') : *value.at;
    const char *found = octet == 0 ? NULL : strchr(keys, octet);
    return found == NULL ? INFO_MALFORMED : (int)(found - keys);
}

int info_key(const uint8_t *body, size_t length) {
    if (length > INFO_LONGEST)
        return INFO_MALFORMED;
    struct text line, only = {NULL, NULL}, value;
    int lines = 0;
    for (const uint8_t *at = body, *end = body + length; next_line(&at, end, &line); lines++) {
        if (is_named(line, "signal", &value))
            return code_of(value);
        only = line;
    }
    return lines == 1 ? code_of(only) : INFO_MALFORMED;
}

int info_duration(const uint8_t *body, size_t length) {
    struct text line, value;
    for (const uint8_t *at = body, *end = body + length; next_line(&at, end, &line);) {
        if (!is_named(line, "duration", &value))
            continue;
        int ms = 0, digits = 0;
        for (; value.at < value.end && *value.at >= '0' && *value.at <= '9' && digits < INFO_DIGITS; value.at++, digits++)
            ms = 10 * ms + *value.at - '0';
        if (digits == 0 || value.at < value.end)
            return INFO_USUAL_MS;
        return ms < INFO_SHORTEST_MS ? INFO_SHORTEST_MS : ms > INFO_LONGEST_MS ? INFO_LONGEST_MS : ms;
    }
    return INFO_USUAL_MS;
}
