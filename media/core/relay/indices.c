/* The indices of SRTP and SRTCP in use.
 *
 * Rule 1: an index is noted before its packet is sealed: one that is sealed twice reuses the key
 *         stream.
 * Rule 2: nothing here is torn: a kill leaves each field as it was before or after a store.
 * Rule 3: what was in use is never forgotten before what follows it is there: a key whose indices
 *         are not known is among those before. */
#include "relay/indices.h"

#include "stores.h"

#include <string.h>

/* SEQ_MEDIAN: half of all sequence numbers. INDEX_BITS: of an index of RTP. */
enum { SEQ_MEDIAN = 1 << 15, INDEX_BITS = 48 };

static void note_before(struct indices *indices) {
    uint32_t count = indices->keys_before;
    if (indices->fingerprint == 0 || indices_were_of(indices, indices->fingerprint))
        return;
    if (count < KEYS_BEFORE)
        stores_put64(&indices->before[count], indices->fingerprint);
    stores_put32(&indices->keys_before, count < KEYS_BEFORE ? count + 1 : KEYS_BEFORE + 1);
}

void indices_begin(struct indices *indices, uint64_t fingerprint) {
    static const struct index none[SRTP_SOURCES];
    indices_resume(indices, fingerprint, none, 0);
}

void indices_resume(struct indices *indices, uint64_t fingerprint, const struct index *each, uint32_t count) {
    note_before(indices);
    stores_put64(&indices->fingerprint, 0);
    stores_put32(&indices->count, 0);
    memcpy(indices->each, each, sizeof indices->each);
    stores_part();
    stores_put32(&indices->count, count);
    stores_part();
    stores_put64(&indices->fingerprint, fingerprint);
}

void indices_lose(struct indices *indices) { stores_put32(&indices->keys_before, KEYS_BEFORE + 1); }

bool indices_are_of(const struct indices *indices, uint64_t fingerprint) {
    if (fingerprint == 0 || indices->fingerprint != fingerprint || indices->count > SRTP_SOURCES)
        return false;
    for (uint32_t i = 0; i < indices->count; i++)
        if (indices->each[i].rtp > UINT64_C(1) << INDEX_BITS)
            return false;
    return true;
}

bool indices_had(const struct indices *indices, uint64_t fingerprint) {
    return indices->keys_before > KEYS_BEFORE || indices->fingerprint == fingerprint ||
           indices_were_of(indices, fingerprint);
}

bool indices_were_of(const struct indices *indices, uint64_t fingerprint) {
    uint32_t count = indices->keys_before < KEYS_BEFORE ? indices->keys_before : KEYS_BEFORE;
    for (uint32_t i = 0; i < count; i++)
        if (indices->before[i] == fingerprint)
            return true;
    return false;
}

int indices_find(const struct indices *indices, uint32_t ssrc) {
    for (uint32_t i = 0; i < indices->count; i++)
        if (indices->each[i].ssrc == ssrc)
            return (int)i;
    return -1;
}

int indices_add(struct indices *indices, uint32_t ssrc) {
    uint32_t at = indices->count;
    if (at >= SRTP_SOURCES)
        return -1;
    indices->each[at] = (struct index){.ssrc = ssrc};
    stores_part();
    stores_put32(&indices->count, at + 1);
    return (int)at;
}

uint64_t indices_guess(uint64_t next, uint16_t seq) {
    uint64_t highest = next > 0 ? next - 1 : 0;
    if (highest <= SEQ_MEDIAN)
        return seq;
    uint64_t rollovers = highest >> 16;
    int newest = (int)(highest & 0xFFFF);
    if (newest < SEQ_MEDIAN)
        rollovers -= seq - newest > SEQ_MEDIAN;
    else
        rollovers += newest - SEQ_MEDIAN > seq;
    return rollovers << 16 | seq;
}

void indices_note_rtp(struct index *index, uint64_t next) {
    if (next > index->rtp)
        stores_put64(&index->rtp, next);
    stores_part();
}

void indices_note_rtcp(struct index *index, uint32_t next) {
    if (next > index->rtcp)
        stores_put32(&index->rtcp, next);
    stores_part();
}
