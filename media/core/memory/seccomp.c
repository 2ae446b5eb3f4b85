/* The system calls that the decoder process may make once it listens; all others are refused
 * (seccomp(2)).
 *
 * Rule 1: it reads and writes descriptors that are open, and has memory, time and an end; it opens,
 *         starts, signals and connects nothing.
 * Rule 2: no memory becomes code: bytes that an attacker writes cannot be run.
 * Rule 3: on another processor, or in another calling convention, than this table is for, the
 *         process ends at its next call. */
#include "memory/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define SECCOMP_OURS AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define SECCOMP_OURS AUDIT_ARCH_AARCH64
#endif

#ifdef SECCOMP_OURS
enum { SECCOMP_X32 = 0x40000000 }; /* numbers from here on are of another convention of x86-64 */

static const int allowed_calls[] = {
    /* the socket to media, and the log */
    SYS_read, SYS_write, SYS_writev, SYS_recvfrom, SYS_sendto, SYS_close, SYS_ppoll, SYS_shutdown,
#ifdef SYS_poll
    SYS_poll,
#endif
    /* memory */
    SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_mlock, SYS_munlock,
    /* threads that are there, time and chance */
    SYS_futex, SYS_sched_yield, SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
    SYS_getrandom, SYS_restart_syscall, SYS_getpid, SYS_gettid,
    /* signals that come, and the end */
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_exit, SYS_exit_group};

/* Calls that may not make code: their third argument is the protection. */
static const int mapping_calls[] = {SYS_mmap, SYS_mprotect};

enum {
    ALLOWED_CALLS = sizeof allowed_calls / sizeof *allowed_calls,
    MAPPING_CALLS = sizeof mapping_calls / sizeof *mapping_calls
};
enum { PROGRAM_MAX = 8 + 2 * ALLOWED_CALLS + 5 * MAPPING_CALLS };

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
/* How many of the next to leave out where it is so, and where not. */
#define JUMP(condition, value, yes, no) BPF_JUMP(BPF_JMP | condition | BPF_K, (uint32_t)(value), yes, no)

int seccomp_confine(void) {
    struct sock_filter code[PROGRAM_MAX];
    unsigned short length = 0;
#define ADD(...) code[length++] = (struct sock_filter)__VA_ARGS__
    ADD(LOAD(arch));
    ADD(JUMP(BPF_JEQ, SECCOMP_OURS, 1, 0));
    ADD(RETURN(SECCOMP_RET_KILL_PROCESS));
    ADD(LOAD(nr));
#if defined __x86_64__
    ADD(JUMP(BPF_JGE, SECCOMP_X32, 0, 1));
    ADD(RETURN(SECCOMP_RET_KILL_PROCESS));
#endif
    for (int i = 0; i < (int)ALLOWED_CALLS; i++) {
        ADD(JUMP(BPF_JEQ, allowed_calls[i], 0, 1));
        ADD(RETURN(SECCOMP_RET_ALLOW));
    }
    for (int i = 0; i < (int)MAPPING_CALLS; i++) {
        ADD(JUMP(BPF_JEQ, mapping_calls[i], 0, 4));
        ADD(LOAD(args[2])); /* its lower half: both processors are little-endian */
        ADD(JUMP(BPF_JSET, PROT_EXEC, 0, 1));
        ADD(RETURN(SECCOMP_RET_ERRNO | EPERM));
        ADD(RETURN(SECCOMP_RET_ALLOW));
    }
    ADD(RETURN(SECCOMP_RET_ERRNO | EPERM));
#undef ADD
    struct sock_fprog program = {.len = length, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    long others = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    return others < 0 ? -errno : others > 0 ? -EBUSY : 0; /* a thread that has a filter of its own */
}
#else
int seccomp_confine(void) { return -ENOSYS; }
#endif
