/* RTCP packets (RFC 3550 section 6): bounds-checked readers. */
#ifndef TONEWALL_RTP_RTCP_H
#define TONEWALL_RTP_RTCP_H

#include "constants.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RTCP_SENDER_REPORT = 200, RTCP_RECEIVER_REPORT = 201 };
/* Octets of the two kinds of report before their report blocks, and of such a block. */
enum { RTCP_SENDER_HEAD = 28, RTCP_RECEIVER_HEAD = 8, RTCP_BLOCK = 24 };

/* Whether the first packet of a compound has a type of RTCP (RFC 5761 section 4). */
bool rtcp_is(const uint8_t *packet, size_t length);
/* Octets of the leading reports of a compound; 0: there are none, or the compound is malformed. */
size_t rtcp_leading_reports(const uint8_t *packet, size_t length);
/* The newest report block's count of lost packets, and its jitter in units of the rtp_timestamp.
 * False: there is no block. */
bool rtcp_reception(const uint8_t *packet, size_t length, uint64_t *lost, uint64_t *jitter);

/* Gives the numbers that media/reference/rtcp_report.py has, too. */
void rtcp_constants(const struct constant_sink *sink);

#endif
