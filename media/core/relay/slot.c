/* What the successor of a killed process has to know of one stream. */
#include "relay/slot.h"

#include "stores.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* "tonewall", and the size. A layout of the same size that differs is another number of the
 * interface (tonewall/interface.py), and no upgrade goes over to it. */
#define SLOT_MARK ((UINT64_C(0x746F6E6577616C00) | 1) + sizeof(struct slot))

/* The word of the mask: a state in its upper bits and, of MASK_OFF, the time in milliseconds below
 * them. All else, zero among it, is a mask that is on. */
#define MASK_STATE (UINT64_C(0xFFFF) << 48)
#define MASK_CLEAR (UINT64_C(0xC1EA) << 48)
#define MASK_OFF (UINT64_C(0x0FF5) << 48)
#define MASK_ON (UINT64_C(0x3A5C) << 48)
#define MASK_SHUT (UINT64_C(0x5407) << 48)

/* A page of memory may be larger than a slot: its part that the slot is in. */
static size_t place_in_page(size_t at) { return at & ((size_t)sysconf(_SC_PAGESIZE) - 1); }

struct slot *slot_map(int descriptor, uint64_t number) {
    size_t before = descriptor < 0 ? 0 : place_in_page(number * RECOVERY_SLOT), size = before + RECOVERY_SLOT;
    off_t at = descriptor < 0 ? 0 : (off_t)(number * RECOVERY_SLOT - before);
    int flags = descriptor < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    uint8_t *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, descriptor, at);
    if (bytes == MAP_FAILED)
        return NULL;
    /* Its pages are there before a packet is: else its first ones wait for them. An older kernel
     * cannot, and they do. */
    madvise(bytes, size, MADV_POPULATE_WRITE);
    if (madvise(bytes, size, MADV_DONTFORK) == 0 && madvise(bytes, size, MADV_DONTDUMP) == 0)
        return (struct slot *)(void *)(bytes + before);
    int why = errno;
    munmap(bytes, size);
    errno = why;
    return NULL;
}

void slot_unmap(struct slot *slot) {
    size_t before = place_in_page((size_t)slot);
    if (slot != NULL)
        munmap((uint8_t *)slot - before, before + RECOVERY_SLOT);
}

void slot_wipe(struct slot *slot) {
    stores_put64(&slot->mark, 0);
    explicit_bzero(slot, RECOVERY_SLOT);
    stores_part();
}

static void begin(struct slot *slot, uint64_t mask) {
    slot_wipe(slot);
    stores_put64(&slot->mask, mask);
    for (int leg = CALLER; leg <= AGENT && mask != MASK_CLEAR; leg++) {
        indices_lose(&slot->in[leg]);
        indices_lose(&slot->out[leg]);
    }
    stores_put64(&slot->mark, SLOT_MARK);
}

void slot_begin(struct slot *slot) { begin(slot, MASK_CLEAR); }

void slot_lose(struct slot *slot) { begin(slot, MASK_ON); }

/* Any octet may be there. */
static void make_bool(bool *flag) {
    uint8_t octet;
    memcpy(&octet, flag, sizeof octet);
    *flag = octet != 0;
}

bool slot_succeed(struct slot *slot) {
    bool is_readable = slot->mark == SLOT_MARK;
    if (!is_readable)
        slot_lose(slot);
    for (int leg = CALLER; leg <= AGENT; leg++) {
        make_bool(&slot->departed[leg].used);
        slot->departed[leg].type &= PAYLOAD_TYPES - 1;
        make_bool(&slot->arrivals[leg].bound);
        make_bool(&slot->arrivals[leg].jumped);
        make_bool(&slot->arrivals[leg].measured);
        make_bool(&slot->arrived[leg].has_stranger);
    }
    make_bool(&slot->tally.keys.talks);
    return is_readable;
}

void slot_note_on(struct slot *slot) { stores_put64(&slot->mask, MASK_ON); }

void slot_note_shut(struct slot *slot) { stores_put64(&slot->mask, MASK_SHUT); }

void slot_note_off(struct slot *slot, int64_t now_ms) {
    stores_put64(&slot->mask, MASK_OFF | ((uint64_t)now_ms & ~MASK_STATE));
}

void slot_note_tail(struct slot *slot, int64_t now_ms) {
    if ((slot->mask & MASK_STATE) == MASK_OFF)
        slot_note_off(slot, now_ms);
}

bool slot_is_masked(const struct slot *slot, int64_t now_ms) {
    uint64_t word = slot->mask;
    int64_t since_ms = (int64_t)(word & ~MASK_STATE);
    if ((word & MASK_STATE) == MASK_OFF)
        return now_ms < since_ms || now_ms - since_ms < SLOT_OFF_MS;
    return word != MASK_CLEAR;
}

bool slot_is_shut(const struct slot *slot) { return slot->mask == MASK_SHUT; }
