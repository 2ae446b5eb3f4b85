/* The addresses that may speak for a leg: that of the SDP and no other; with `latch`, that of the
 * first good packet of its network.
 *
 * The reasons are in media/reference/source.py. */
#include "rtp/source.h"

#include <arpa/inet.h>
#include <string.h>

static const struct sockaddr_in *v4(const struct sockaddr_storage *address) {
    return (const struct sockaddr_in *)address;
}

static const struct sockaddr_in6 *v6(const struct sockaddr_storage *address) {
    return (const struct sockaddr_in6 *)address;
}

bool source_parse(const char *address, int port, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (port < 0 || port > 65535)
        return false;
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        return true;
    }
    if (inet_pton(AF_INET6, address, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        return true;
    }
    return false;
}

socklen_t source_length(const struct sockaddr_storage *address) {
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

bool source_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b) {
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return v4(a)->sin_addr.s_addr == v4(b)->sin_addr.s_addr;
    return memcmp(&v6(a)->sin6_addr, &v6(b)->sin6_addr, 16) == 0;
}

bool source_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b) {
    /* sin_port and sin6_port stand at the same place. */
    return source_same_host(a, b) && v4(a)->sin_port == v4(b)->sin_port;
}

static bool same_network(const struct sockaddr_storage *a, const struct sockaddr_storage *b) {
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return memcmp(&v4(a)->sin_addr, &v4(b)->sin_addr, 3) == 0;
    return memcmp(&v6(a)->sin6_addr, &v6(b)->sin6_addr, 8) == 0;
}

/* RFC 1918, RFC 6598, RFC 3927; RFC 4193, RFC 4291 section 2.5.6. */
static bool is_private(const struct sockaddr_storage *address) {
    if (address->ss_family == AF_INET) {
        uint32_t host = ntohl(v4(address)->sin_addr.s_addr);
        return host >> 24 == 10 || host >> 20 == 0xAC1 || host >> 16 == 0xC0A8 || host >> 22 == 0x191 ||
               host >> 16 == 0xA9FE;
    }
    const uint8_t *host = v6(address)->sin6_addr.s6_addr;
    return (host[0] & 0xFE) == 0xFC || (host[0] == 0xFE && (host[1] & 0xC0) == 0x80);
}

void source_set(struct source *source, const struct sockaddr_storage *signalled, bool present, bool latch) {
    bool unchanged =
        present && source->present && source->latch == latch && source_same(&source->signalled, signalled);
    if (unchanged) /* a re-INVITE that moves nothing keeps the lock */
        return;
    *source = (struct source){.present = present, .latch = latch};
    if (present)
        source->signalled = source->current = *signalled;
}

/* The SDP's own address, while another of its network is locked and the grace lasts. */
static bool is_better(const struct source *source, const struct sockaddr_storage *from, int64_t now_ms) {
    return source->locked && now_ms < source->locked_ms + EXACT_GRACE_MS &&
           source_same(&source->signalled, from) && !source_same(&source->current, from);
}

bool source_waits(const struct source *source, const struct sockaddr_storage *from, int64_t now_ms) {
    return source->latch && (!source->locked || is_better(source, from, now_ms));
}

bool source_admits(struct source *source, const struct source *paired, const struct sockaddr_storage *from,
                   bool valid, int64_t now_ms) {
    if (!source->present)
        return false;
    if (!source_waits(source, from, now_ms))
        return source_same(&source->current, from);
    if (!valid)
        return false;
    if (paired != NULL) {
        /* Behind the same NAT as its RTP, or not at all. */
        if (!paired->locked || !source_same_host(&paired->current, from))
            return false;
    } else if (!is_private(&source->signalled) && !same_network(&source->signalled, from)) {
        return false;
    }
    if (from->ss_family != source->signalled.ss_family)
        return false;
    source->current = *from;
    source->locked = true;
    source->locked_ms = now_ms;
    return true;
}

void source_constants(const struct constant_sink *sink) { CONSTANTS(sink, EXACT_GRACE_MS); }
