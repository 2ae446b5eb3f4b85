/* Places of one size in slabs of secret memory. */
#ifndef TONEWALL_MEMORY_POOL_H
#define TONEWALL_MEMORY_POOL_H

#include <stddef.h>

struct pool {
    size_t size; /* bytes of a place */
    int places; /* in a slab */
    struct slab *slabs;
    void **spare;
    size_t spares, room;
};

/* A place of zeros, to be given back; may map a slab. NULL: errno is set. */
void *pool_borrow(struct pool *pool);
/* Wipes the place and keeps it for the next. */
void pool_give_back(struct pool *pool, void *place);
/* Unmaps all slabs; nothing may be borrowed any more. */
void pool_free(struct pool *pool);
/* Bytes that so many places map. */
size_t pool_bytes(const struct pool *pool, size_t places);

#endif
