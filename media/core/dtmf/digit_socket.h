/* The digits that rtpengine servers report: read, kept and handed on in secret memory. */
#ifndef TONEWALL_DTMF_DIGIT_SOCKET_H
#define TONEWALL_DTMF_DIGIT_SOCKET_H

#include "dtmf/keys.h"
#include "dtmf/notice.h"
#include "dtmf/rtpengine_log.h"
#include "memory/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { LISTENERS = 512, CALL_ID_MAX = 64, TAG_MAX = 32 }; /* streams; octets */

/* One stream whose keys are wanted; lives in secret memory. */
struct listener {
    bool used, lost, reported[NOTICE_KINDS];
    int64_t stream;
    size_t call_length, tag_length;
    uint8_t call[CALL_ID_MAX], tag[TAG_MAX];
    struct log_presses presses;
    int count;
    uint8_t keys[KEYS]; /* ASCII */
};

struct digit_socket {
    int fd; /* owned; -1: none */
    struct secret secret; /* the listeners, and behind them the datagram that came */
    struct sockaddr_storage *servers; /* owned */
    size_t server_count;
    uint64_t accepted, foreign_source, malformed, unwanted; /* datagrams */
};

/* Maps the secret memory. False: errno is set. */
bool digit_socket_prepare(struct digit_socket *digits);
/* Keeps the keys of this call's party as `stream`'s. 0 or -errno. */
int digit_socket_open(struct digit_socket *digits, int64_t stream, struct log_string call,
                      struct log_string tag);
/* Wipes the keys of a stream, and keeps no more. */
void digit_socket_close(struct digit_socket *digits, int64_t stream);
/* Reads one datagram; false: there is none. */
bool digit_socket_receive(struct digit_socket *digits, int64_t now_ms);
/* Moves at most `room` notices to `out`. Returns how many. */
int digit_socket_notices(struct digit_socket *digits, struct notice *out, int room);
/* Moves the keys that fit, in ASCII, into secret memory at `into`. How many, or -ENOENT. */
int digit_socket_take(struct digit_socket *digits, int64_t stream, uint8_t *into, size_t room);
/* Closes the socket, wipes and frees the rest. */
void digit_socket_free(struct digit_socket *digits);

#endif
