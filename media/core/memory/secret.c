/* Memory for secrets: locked, not in core dumps, not inherited by children, wiped before it is
 * given back.
 *
 * memfd_secret(2) takes the pages out of the kernel's own map too: not even root reads them through
 * /proc/PID/mem. */
#include "memory/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

static uint8_t *map_secretmem(size_t size) {
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    if (fd < 0)
        return NULL;
    void *bytes = MAP_FAILED;
    if (ftruncate(fd, (off_t)size) == 0)
        bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return bytes == MAP_FAILED ? NULL : bytes;
}

static uint8_t *map_locked(size_t size) {
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        return NULL;
    if (mlock(bytes, size) == 0 && madvise(bytes, size, MADV_DONTDUMP) == 0)
        return bytes;
    int why = errno;
    munmap(bytes, size);
    errno = why;
    return NULL;
}

size_t secret_mapped(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

bool secret_map(struct secret *secret, size_t size) {
    size_t mapped = secret_mapped(size);
    if (size == 0 || mapped < size) {
        errno = EINVAL;
        return false;
    }
    const char *kind = "memfd_secret";
    uint8_t *bytes = map_secretmem(mapped);
    if (bytes == NULL) {
        kind = "mlock";
        bytes = map_locked(mapped);
    }
    if (bytes == NULL)
        return false;
    if (madvise(bytes, mapped, MADV_DONTFORK) != 0) {
        int why = errno;
        munmap(bytes, mapped);
        errno = why;
        return false;
    }
    *secret =
        (struct secret){.bytes = bytes, .size = size, .mapped = mapped, .kind = kind, .owner = (int)getpid()};
    return true;
}

void secret_wipe(struct secret *secret) {
    if (secret->bytes != NULL && secret->owner == (int)getpid())
        explicit_bzero(secret->bytes, secret->mapped);
}

void secret_unmap(struct secret *secret) {
    /* In a child the address may by now belong to something else. */
    if (secret->bytes != NULL && secret->owner == (int)getpid()) {
        explicit_bzero(secret->bytes, secret->mapped);
        munmap(secret->bytes, secret->mapped);
    }
    memset(secret, 0, sizeof *secret);
}
