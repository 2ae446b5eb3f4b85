/* The harness that TONEWALL_HARNESS names, for libFuzzer. */
#include "harness.h"

#include "audio/canary.h"
#include "audio/g711.h"
#include "audio/inband.h"
#include "audio/sensitive_detector.h"
#include "relay/srtp.h"

static int (*chosen)(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    const char *name = getenv("TONEWALL_HARNESS");
    (void)count;
    (void)arguments;
    MUST(name != NULL);
    chosen = strcmp(name, "packets") == 0 ? fuzz_packets
             : strcmp(name, "relay") == 0 ? fuzz_relay
                                          : fuzz_texts;
    MUST(chosen != fuzz_texts || strcmp(name, "texts") == 0);
    g711_prepare();
    inband_prepare();
    sensitive_prepare();
    canary_prepare();
    MUST(crypto_prepare());
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return chosen(data, size); }
