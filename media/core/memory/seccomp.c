/* What the decoder process may ask of the kernel once it listens; all else is refused (seccomp(2)).
 *
 * Rule 1: it reads and writes what it has open, and has memory, time and an end; it opens, starts, signals and connects nothing.
 * Rule 2: no memory becomes code: what an attacker writes cannot be run.
 * Rule 3: on a processor or in a calling convention that this table is not for, the process ends at its next call. */
#include "core.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define OURS AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define OURS AUDIT_ARCH_AARCH64
#endif

#ifdef OURS
enum { X32 = 0x40000000 }; /* numbers from here on are of another convention of x86-64 */

static const int allowed[] = {
    /* the socket to media, and the log */
    SYS_read, SYS_write, SYS_writev, SYS_recvfrom, SYS_sendto, SYS_close, SYS_ppoll, SYS_shutdown,
#ifdef SYS_poll
    SYS_poll,
#endif
    /* memory */
    SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_mlock, SYS_munlock,
    /* threads that are there, time and chance */
    SYS_futex, SYS_sched_yield, SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday, SYS_getrandom,
    SYS_restart_syscall, SYS_getpid, SYS_gettid,
    /* signals that come, and the end */
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_exit, SYS_exit_group,
};

/* Those that may not make code: their third argument is the protection. */
static const int memory[] = {SYS_mmap, SYS_mprotect};

enum { ALLOWED = sizeof allowed / sizeof *allowed, MEMORY = sizeof memory / sizeof *memory };
enum { LONGEST = 8 + 2 * ALLOWED + 5 * MEMORY };

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
/* How many of the next to leave out where it is so, and where not. */
#define JUMP(condition, value, yes, no) BPF_JUMP(BPF_JMP | condition | BPF_K, (uint32_t)(value), yes, no)

int seccomp_confine(void) {
    struct sock_filter code[LONGEST];
    unsigned short length = 0;
#define ADD(...) code[length++] = (struct sock_filter)__VA_ARGS__
    ADD(LOAD(arch));
    ADD(JUMP(BPF_JEQ, OURS, 1, 0));
    ADD(RETURN(SECCOMP_RET_KILL_PROCESS));
    ADD(LOAD(nr));
#if defined __x86_64__
    ADD(JUMP(BPF_JGE, X32, 0, 1));
    ADD(RETURN(SECCOMP_RET_KILL_PROCESS));
#endif
    for (int i = 0; i < (int)ALLOWED; i++) {
        ADD(JUMP(BPF_JEQ, allowed[i], 0, 1));
        ADD(RETURN(SECCOMP_RET_ALLOW));
    }
    for (int i = 0; i < (int)MEMORY; i++) {
        ADD(JUMP(BPF_JEQ, memory[i], 0, 4));
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
