/* Memory for secrets: locked, not in core dumps, not inherited by children, wiped before it is
 * given back. */
#ifndef TONEWALL_MEMORY_SECRET_H
#define TONEWALL_MEMORY_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret {
    uint8_t *bytes; /* NULL: not mapped */
    size_t size, mapped;
    const char *kind; /* "memfd_secret" or "mlock" */
    int owner; /* pid: a child does not inherit the pages */
};

/* Bytes of the whole pages that hold `size`. */
size_t secret_mapped(size_t size);
/* Maps zeros; the caller unmaps. False: errno is set. */
bool secret_map(struct secret *secret, size_t size);
/* Overwrites all of it. Does nothing in a child. */
void secret_wipe(struct secret *secret);
/* Wipes and unmaps; `secret` is then all zeros. */
void secret_unmap(struct secret *secret);

#endif
