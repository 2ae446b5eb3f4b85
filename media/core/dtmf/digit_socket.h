/* The digits that rtpengine servers report (media/reference/rtpengine_log.py): read, kept and handed on in secret memory. */
#ifndef TONEWALL_FEED_H
#define TONEWALL_FEED_H

#include "core.h"

enum { ECHO_MS = 1000, DATAGRAM = 2000, LISTENERS = 512, CALL_MOST = 64, TAG_MOST = 32, NOT_A_KEY = -1 };

struct text {
    const uint8_t *start;
    size_t length;
};

struct record { /* lives as long as the datagram */
    struct text call, tag;
    int event; /* 0 to 15, or NOT_A_KEY */
};

struct presses {
    int last; /* the code, plus one; 0: none yet */
    bool echoed;
    int64_t at_ms;
};

struct listener { /* one stream whose keys are wanted; lives in secret memory */
    bool used, lost, reported[EVENT_KINDS];
    int64_t stream;
    size_t call_length, tag_length;
    uint8_t call[CALL_MOST], tag[TAG_MOST];
    struct presses presses;
    int count;
    uint8_t keys[KEYS]; /* ASCII */
};

struct feed {
    int fd;
    struct secret secret; /* the listeners, and behind them the datagram that came */
    struct sockaddr_storage *servers;
    size_t server_count;
    uint64_t heard, strangers, malformed, unwanted;
};

bool record_parse(const uint8_t *bytes, size_t length, struct record *out);
bool presses_heard(struct presses *presses, int event, int64_t now_ms);

bool feed_prepare(struct feed *feed); /* false: errno is set */
int feed_open(struct feed *feed, int64_t stream, struct text call, struct text tag); /* 0 or -errno */
void feed_close(struct feed *feed, int64_t stream);
bool feed_receive(struct feed *feed, int64_t now_ms); /* one datagram; false: none was there */
int feed_events(struct feed *feed, struct event *out, int room); /* and forget them */
int feed_take(struct feed *feed, int64_t stream, uint8_t *into, size_t room); /* how many, or -ENOENT */
void feed_free(struct feed *feed);

#endif
