/* Places of one size in slabs of secret memory: keys, and audio with tones in it, are kept nowhere
 * else. */
#include "memory/pool.h"

#include "memory/secret.h"

#include <stdbool.h>

#include <stdlib.h>
#include <string.h>

struct slab {
    struct secret memory;
    struct slab *next;
};

static bool grow_pool(struct pool *pool) {
    size_t room = pool->room + (size_t)pool->places;
    void **spare = realloc(pool->spare, room * sizeof *spare);
    if (spare == NULL)
        return false;
    pool->spare = spare;
    struct slab *slab = calloc(1, sizeof *slab);
    if (slab == NULL || !secret_map(&slab->memory, (size_t)pool->places * pool->size)) {
        free(slab);
        return false;
    }
    pool->room = room;
    for (int i = 0; i < pool->places; i++)
        pool->spare[pool->spares++] = slab->memory.bytes + (size_t)i * pool->size;
    slab->next = pool->slabs;
    pool->slabs = slab;
    return true;
}

size_t pool_bytes(const struct pool *pool, size_t places) {
    size_t slabs = (places + (size_t)pool->places - 1) / (size_t)pool->places;
    return slabs * secret_mapped((size_t)pool->places * pool->size);
}

void *pool_borrow(struct pool *pool) {
    if (pool->spares == 0 && !grow_pool(pool))
        return NULL;
    return pool->spare[--pool->spares];
}

void pool_give_back(struct pool *pool, void *place) {
    explicit_bzero(place, pool->size);
    pool->spare[pool->spares++] = place;
}

void pool_free(struct pool *pool) {
    for (struct slab *slab = pool->slabs, *next; slab != NULL; slab = next) {
        next = slab->next;
        secret_unmap(&slab->memory);
        free(slab);
    }
    free(pool->spare);
}
