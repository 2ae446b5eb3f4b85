/* The key in the body of a SIP INFO (media/reference/sip_info.py). */
#ifndef TONEWALL_DTMF_SIP_INFO_H
#define TONEWALL_DTMF_SIP_INFO_H

#include "constants.h"

#include <stddef.h>
#include <stdint.h>

enum { SIP_INFO_MAX = 256, SIP_INFO_NO_KEY = -1, SIP_INFO_MALFORMED = -2 }; /* octets of a body; results */
enum { SIP_INFO_MIN_MS = 40, SIP_INFO_USUAL_MS = 160, SIP_INFO_MAX_MS = 5000 };

/* An event code from 0 to 15, SIP_INFO_NO_KEY or SIP_INFO_MALFORMED. */
int sip_info_key(const uint8_t *body, size_t length);
/* The duration in milliseconds, within SIP_INFO_MIN_MS and SIP_INFO_MAX_MS. `length`: at most
 * SIP_INFO_MAX. */
int sip_info_duration_ms(const uint8_t *body, size_t length);

/* Gives the numbers that media/reference/sip_info.py has, too. */
void sip_info_constants(const struct constant_sink *sink);

#endif
