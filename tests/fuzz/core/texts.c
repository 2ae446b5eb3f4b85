/* Text that the core reads: bodies of SIP INFO, records of rtpengine, addresses. */
#include "harness.h"

#include "dtmf/rtpengine_log.h"
#include "dtmf/sip_info.h"
#include "rtp/source.h"

int fuzz_texts(const uint8_t *data, size_t size) {
    struct script script = {data, data + size};
    uint8_t which = script_byte(&script);
    size_t length = size > 0 ? size - 1 : 0;
    uint8_t *text = script_bytes(&script, length);
    if (which % 3 == 0) {
        int key = sip_info_key(text, length), ms = sip_info_duration_ms(text, length);
        MUST(key >= SIP_INFO_MALFORMED && key <= 15);
        MUST(length > SIP_INFO_MAX || (ms >= SIP_INFO_MIN_MS && ms <= SIP_INFO_MAX_MS));
    } else if (which % 3 == 1) {
        struct log_record record;
        if (rtpengine_log_parse(text, length, &record)) {
            MUST(record.event == LOG_NO_KEY || (record.event >= 0 && record.event <= 15));
            MUST(record.call.start >= text && record.call.start + record.call.length <= text + length);
            MUST(record.tag.start >= text && record.tag.start + record.tag.length <= text + length);
        }
    } else {
        struct sockaddr_storage address;
        text = realloc(text, length + 1);
        MUST(text != NULL);
        text[length] = 0;
        if (source_parse((const char *)text, 5004, &address))
            MUST(source_same(&address, &address));
    }
    free(text);
    return 0;
}
