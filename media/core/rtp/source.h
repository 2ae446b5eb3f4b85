/* The addresses that may speak for a leg (media/reference/source.py). */
#ifndef TONEWALL_RTP_SOURCE_H
#define TONEWALL_RTP_SOURCE_H

#include "constants.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* For so long the address of the SDP itself takes the place of another of its network. */
enum { EXACT_GRACE_MS = 2000 };

/* Where one socket's packets come from and go to. */
struct source {
    bool present; /* there is a peer; false: nothing passes */
    bool latch; /* the first good packet of the peer's network says where it is (symmetric RTP, RFC 4961) */
    bool locked; /* it has */
    struct sockaddr_storage signalled; /* the address in the SDP */
    struct sockaddr_storage current; /* the address that packets come from and go to */
    int64_t locked_ms;
};

/* Reads a numeric address; `port` in host order. False: it is none. */
bool source_parse(const char *address, int port, struct sockaddr_storage *out);
/* Address and port. */
bool source_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
bool source_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b); /* address alone */
/* Octets of the address, as sendto(2) takes them. */
socklen_t source_length(const struct sockaddr_storage *address);
/* The address of a new SDP; a lock stays where nothing has changed. */
void source_set(struct source *source, const struct sockaddr_storage *signalled, bool present, bool latch);
/* Whether a packet from there is the peer's; may lock the source. `valid`: it is a good packet.
 * `paired`: the leg's RTP source where `source` is its RTCP source, else NULL. */
bool source_admits(struct source *source, const struct source *paired, const struct sockaddr_storage *from,
                   bool valid, int64_t now_ms);
/* Whether only a good packet from there would be admitted, and would lock the source. */
bool source_waits(const struct source *source, const struct sockaddr_storage *from, int64_t now_ms);

/* Gives the numbers that media/reference/source.py has, too. */
void source_constants(const struct constant_sink *sink);

#endif
