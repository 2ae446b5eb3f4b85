/* RTCP reports that stay true where a mask has changed a stream
 * (media/reference/rtcp_report.py). */
#ifndef TONEWALL_RTP_RTCP_REPORT_H
#define TONEWALL_RTP_RTCP_REPORT_H

#include "rtp/sequence.h"

#include <stddef.h>
#include <stdint.h>

/* Corrects, in place, the sender reports of the masked stream's sender: they count only packets
 * that left. */
void rtcp_report_as_sent(const struct tracks *tracks, uint8_t *compound, size_t length);
/* Corrects, in place, the report blocks of the masked stream's receiver: numbers become those of
 * the sender. */
void rtcp_report_as_received(const struct tracks *tracks, uint8_t *compound, size_t length);

#endif
