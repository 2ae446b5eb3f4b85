/* Packet load for a relay: N calls, two sockets a call, paced RTP both ways, latency from a time stamp in the payload.
 *
 * usage: rtpload CALLS SPEECH
 *   SPEECH is a file of G.711 mu-law that all sides say, each from a place of its own
 *   it prints    {"caller": [PORT ...], "agent": [PORT ...]}      its own ports, all on 127.0.0.1
 *   it reads     peers PORT PORT ...                              where each call's caller side, then agent side, sends to
 *   it reads     run MILLISECONDS CALLS                           as often as wanted; latency without the first CALLS
 *   it prints    {"sent": ..., "received": ..., ...}              one line a run
 *
 * Every side sends 50 packets a second of 12 + 160 bytes (payload type 0), at a phase of its own within the 20 ms, so that
 * packets reach the relay one by one, as those of unrelated calls do. Latency runs from just before sendto(2) to the
 * kernel's receive time stamp (SO_TIMESTAMPNS): how late this process is scheduled to read is not the relay's doing. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { MOST_SPEECH = 1 << 22, SAID = 160, PACKET = 172, PERIOD_NS = 20000000, BATCH = 16, BUCKET_NS = 100, BUCKETS = 1000000, DRAIN_MS = 300, MOST_DRAIN_MS = 5000 };
#define MAGIC 0x746f6e65u

struct side {
    int fd;
    uint16_t port;
    uint16_t sequence;
    uint32_t rtp_timestamp;
    size_t said; /* of the speech */
    struct sockaddr_in peer;
    int64_t phase;
};

struct stamp { /* the beginning of the payload; never leaves this process's hands, so the host's byte order will do */
    uint32_t magic;
    uint32_t run;
    int64_t sent_at;
};

struct result {
    uint64_t sent, received, timed, foreign, send_errors;
    int64_t latest_send;
};

static uint32_t histogram[BUCKETS];
static uint8_t speech[MOST_SPEECH];
static size_t speech_size;

/* Half a byte a sample, as the sixteen values of mu-law that are next to silence: nobody who listens hears a stamp. */
static void put_stamp(uint8_t *payload, const struct stamp *stamp) {
    const uint8_t *bytes = (const uint8_t *)stamp;
    for (size_t i = 0; i < 2 * sizeof *stamp; i++) payload[i] = 0xF0 | (bytes[i / 2] >> (i % 2 ? 4 : 0) & 0x0F);
}

static void get_stamp(const uint8_t *payload, struct stamp *stamp) {
    uint8_t *bytes = (uint8_t *)stamp;
    for (size_t i = 0; i < sizeof *stamp; i++) bytes[i] = (payload[2 * i] & 0x0F) | (payload[2 * i + 1] & 0x0F) << 4;
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t); /* the clock of SO_TIMESTAMPNS */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "rtpload: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_side(struct side *side, int epoll, uint32_t index) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof own;
    int on = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    side->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (side->fd < 0) fail("socket");
    if (bind(side->fd, (struct sockaddr *)&own, sizeof own) < 0) fail("bind");
    if (getsockname(side->fd, (struct sockaddr *)&own, &length) < 0) fail("getsockname");
    if (setsockopt(side->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0) fail("SO_TIMESTAMPNS");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, side->fd, &event) < 0) fail("epoll_ctl");
    side->port = ntohs(own.sin_port);
    side->phase = random() % PERIOD_NS;
    side->said = (size_t)random() % (speech_size / SAID) * SAID;
}

static void send_packet(struct side *side, uint32_t index, uint32_t run, struct result *result) {
    uint8_t packet[PACKET];
    struct stamp stamp = {MAGIC, run, 0};
    uint16_t sequence = htons(side->sequence++);
    uint32_t rtp_timestamp = htonl(side->rtp_timestamp), ssrc = htonl(0x10000000u + index);
    side->rtp_timestamp += 160;
    memcpy(packet + 12, speech + side->said, SAID);
    side->said = side->said + 2 * SAID > speech_size ? 0 : side->said + SAID;
    packet[0] = 0x80;
    packet[1] = 0;
    memcpy(packet + 2, &sequence, 2);
    memcpy(packet + 4, &rtp_timestamp, 4);
    memcpy(packet + 8, &ssrc, 4);
    stamp.sent_at = now_ns();
    put_stamp(packet + 12, &stamp);
    if (sendto(side->fd, packet, sizeof packet, 0, (struct sockaddr *)&side->peer, sizeof side->peer) == PACKET)
        result->sent++;
    else
        result->send_errors++;
}

static void receive_packet(struct side *side, uint32_t run, bool timed, struct result *result) {
    uint8_t packet[2048];
    union { struct cmsghdr header; uint8_t room[CMSG_SPACE(sizeof(struct timespec))]; } control;
    struct iovec part = {packet, sizeof packet};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct stamp stamp;
    ssize_t size = recvmsg(side->fd, &message, 0);
    if (size < 0) return; /* EAGAIN, or the ICMP answer to a packet for a port that is closed by now */
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (size != PACKET || header == NULL || header->cmsg_type != SCM_TIMESTAMPNS) {
        result->foreign++;
        return;
    }
    get_stamp(packet + 12, &stamp);
    if (stamp.magic != MAGIC || stamp.run != run) {
        result->foreign++;
        return;
    }
    struct timespec arrived;
    memcpy(&arrived, CMSG_DATA(header), sizeof arrived);
    int64_t latency = (int64_t)arrived.tv_sec * 1000000000 + arrived.tv_nsec - stamp.sent_at;
    int64_t bucket = latency < 0 ? 0 : latency / BUCKET_NS;
    result->received++;
    result->timed += timed;
    histogram[bucket < BUCKETS ? bucket : BUCKETS - 1] += timed;
}

/* Polls and never sleeps: otherwise each packet that the relay sends would have to wake this process on another core,
 * several microseconds on a virtual machine that would be counted as the relay's and that no network card costs it. */
static int receive_ready(struct side *sides, int epoll, uint32_t run, uint32_t first, struct result *result) {
    struct epoll_event events[64];
    int ready = epoll_wait(epoll, events, 64, 0);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < ready; i++) {
        uint32_t index = events[i].data.u32;
        receive_packet(&sides[index], run, index >= first, result);
    }
    return ready;
}

static double percentile_us(double share, uint64_t total) {
    uint64_t rank = (uint64_t)(share * (double)total), seen = 0;
    for (int i = 0; i < BUCKETS; i++) {
        seen += histogram[i];
        if (seen > rank) return (i + 0.5) * BUCKET_NS / 1000.0;
    }
    return 0;
}

/* Latency is of the sides from `first` on. */
static void run_load(struct side *sides, uint32_t *order, uint32_t count, int epoll, uint32_t run, int64_t duration, uint32_t first) {
    struct result result = {0};
    int64_t start = now_ns() + 1000000, cycle = 0;
    uint32_t next = 0;
    memset(histogram, 0, sizeof histogram);
    for (;;) {
        int64_t due = 0;
        for (int i = 0; i < BATCH; i++) {
            int64_t late = now_ns() - (due = start + cycle * PERIOD_NS + sides[order[next]].phase);
            if (late < 0 || due >= start + duration) break;
            if (late > result.latest_send) result.latest_send = late;
            send_packet(&sides[order[next]], order[next], run, &result);
            if (++next == count) next = 0, cycle++;
        }
        if (due >= start + duration) break;
        receive_ready(sides, epoll, run, first, &result);
    }
    /* Until nothing comes any more: what a relay is late with is not lost. */
    int64_t now = now_ns(), most = now + MOST_DRAIN_MS * 1000000LL;
    for (int64_t end = now + DRAIN_MS * 1000000LL; now < end && now < most; now = now_ns())
        if (receive_ready(sides, epoll, run, first, &result) > 0) end = now + DRAIN_MS * 1000000LL;
    printf("{\"sent\": %lu, \"received\": %lu, \"timed\": %lu, \"lost\": %ld, \"foreign\": %lu, \"send_errors\": %lu, "
           "\"latency_p50_us\": %.2f, \"latency_p99_us\": %.2f, \"latest_send_us\": %.1f}\n",
           result.sent, result.received, result.timed, (long)(result.sent - result.received), result.foreign, result.send_errors,
           percentile_us(0.5, result.timed), percentile_us(0.99, result.timed), (double)result.latest_send / 1000.0);
}

static struct side *sorting; /* qsort has no room for a context */
static int by_phase(const void *a, const void *b) {
    int64_t x = sorting[*(const uint32_t *)a].phase, y = sorting[*(const uint32_t *)b].phase;
    return (x > y) - (x < y);
}

static void read_speech(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) fail(path);
    speech_size = fread(speech, 1, sizeof speech, file);
    fclose(file);
}

int main(int argc, char **argv) {
    uint32_t calls = argc == 3 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0, count = calls * 2, run = 0;
    struct rlimit files;
    char *line = NULL;
    size_t room = 0;
    if (argc == 3) read_speech(argv[2]);
    if (calls == 0 || calls > 20000 || speech_size < SAID) {
        fprintf(stderr, "usage: rtpload CALLS SPEECH\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct side *sides = calloc(count, sizeof *sides);
    uint32_t *order = calloc(count, sizeof *order);
    if (epoll < 0 || sides == NULL || order == NULL) fail("start");
    srandom(1); /* the same phases for every relay that is compared */
    for (uint32_t i = 0; i < count; i++) open_side(&sides[i], epoll, order[i] = i);
    sorting = sides;
    qsort(order, count, sizeof *order, by_phase);
    for (uint32_t half = 0; half < 2; half++) { /* side 2n is call n's caller, side 2n + 1 its agent */
        printf(half ? "], \"agent\": [" : "{\"caller\": [");
        for (uint32_t i = half; i < count; i += 2) printf("%s%u", i > half ? ", " : "", sides[i].port);
    }
    printf("]}\n");
    fflush(stdout);
    while (getline(&line, &room, stdin) > 0) {
        char *word = strtok(line, " \n");
        if (word != NULL && strcmp(word, "peers") == 0) {
            for (uint32_t i = 0; i < count; i++) {
                char *port = strtok(NULL, " \n");
                sides[i].peer = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                                     .sin_port = htons(port ? (uint16_t)atoi(port) : 0)};
            }
        } else if (word != NULL && strcmp(word, "run") == 0) {
            char *duration = strtok(NULL, " \n"), *without = strtok(NULL, " \n");
            run_load(sides, order, count, epoll, ++run, duration ? atoll(duration) * 1000000 : 0,
                     without ? 2 * (uint32_t)atoi(without) : 0);
            fflush(stdout);
        }
    }
    return 0;
}
