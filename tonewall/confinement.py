"""What each kind of process may ask of the kernel, once it has begun.

Rule 1: decoder and media are held to lists of what they need: all else is refused. The others,
        which run libraries of many kinds, are held from what no part of Tonewall needs.
Rule 2: nothing here can be taken back, and whatever a process starts is held as it is.
"""

from __future__ import annotations

import errno
import mmap
import os
import socket
from typing import Final

from tonewall.log import get_logger
from tonewall.seccomp import ALL_BITS, CallFilter, Condition, Rule, install

log = get_logger(__name__)
_NEVER = (Condition(0, 0, ()),)
_CLONE_THREAD = 0x00010000
# Any new namespace: clone(2).
_CLONE_NAMESPACES = 0x7E020000
# The kernel has no filters, or none of these; a sandbox round us keeps us from them.
_NOT_TO_BE_HAD: Final = (errno.ENOSYS, errno.EINVAL, errno.EPERM)
# A terminal? What waits to be read? No blocking. Inherited by children? ioctl(2).
_IOCTLS = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)
# The name of a thread, and how late its timers may be, of a media thread that begins: prctl(2).
_PRCTLS = (15, 29)


def _allowed(calls: str) -> tuple[Rule, ...]:
    return tuple(Rule(call) for call in calls.split())


def _refused(calls: str) -> tuple[Rule, ...]:
    return tuple(Rule(call, _NEVER) for call in calls.split())


# glibc then asks clone, whose flags a filter can read.
_CLONE3 = Rule("clone3", _NEVER, errno.ENOSYS)
# Of other processes; of other views of the machine; of the kernel itself, and its parts that have
# often been a way into it; of the machine's time and names.
_NEEDED_BY_NOBODY = (
    *_refused("ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd"),
    *_refused("mount umount2 pivot_root chroot move_mount open_tree mount_setattr"),
    *_refused("fsopen fsconfig fsmount fspick unshare setns open_by_handle_at"),
    *_refused("kexec_load kexec_file_load init_module finit_module delete_module reboot"),
    *_refused("bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register"),
    *_refused("keyctl add_key request_key fanotify_init iopl ioperm modify_ldt"),
    *_refused("swapon swapoff acct quotactl quotactl_fd syslog vhangup uselib ustat sysfs lookup_dcookie"),
    *_refused("settimeofday clock_settime adjtimex clock_adjtime sethostname setdomainname"),
)
# Any process of Tonewall.
PLAIN: Final = CallFilter(
    (*_NEEDED_BY_NOBODY, _CLONE3, Rule("clone", (Condition(0, _CLONE_NAMESPACES, (0,)),))), others=True
)
# One that, besides, starts no process and no program, and makes no code of what it has written:
# those that talk with a provider.
ALONE: Final = CallFilter(
    (
        *_NEEDED_BY_NOBODY,
        *_refused("execve execveat fork vfork"),
        _CLONE3,
        Rule("clone", (Condition(0, _CLONE_THREAD, (_CLONE_THREAD,)),)),
        Rule(
            "mmap",
            (Condition(2, mmap.PROT_WRITE | mmap.PROT_EXEC, (0, mmap.PROT_WRITE, mmap.PROT_EXEC)),),
        ),
        *(Rule(call, (Condition(2, mmap.PROT_EXEC, (0,)),)) for call in ("mprotect", "pkey_mprotect")),
    ),
    others=True,
)
# What a process does that has begun: with descriptors that are open; with memory, of which none
# becomes code; with threads that are there, of which one may just have begun; time and chance;
# signals that come, and the end.
_OWN_WORK = (
    *_allowed("read write readv writev recvfrom sendto close poll ppoll shutdown"),
    *_allowed("brk munmap mremap madvise mlock munlock"),
    *(Rule(call, (Condition(2, mmap.PROT_EXEC, (0,)),)) for call in ("mmap", "mprotect")),
    *_allowed("futex sched_yield rseq set_robust_list clock_gettime clock_nanosleep nanosleep"),
    *_allowed("gettimeofday getrandom restart_syscall getpid gettid"),
    *_allowed("rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack exit exit_group"),
)
# It opens, starts, signals and connects nothing.
DECODER: Final = CallFilter(_OWN_WORK, others=False)
# It opens datagram sockets, and files to read them, and takes what comes on its unix socket; it
# starts no thread, process or program, signals nobody, and connects to no stream.
MEDIA: Final = CallFilter(
    (
        *_OWN_WORK,
        *_allowed("epoll_wait epoll_pwait epoll_pwait2 epoll_ctl epoll_create1 eventfd2"),
        *_allowed("recvmsg sendmsg recvmmsg sendmmsg bind connect accept accept4"),
        *_allowed("getsockname getpeername setsockopt getsockopt"),
        Rule(
            "socket",
            (
                Condition(0, ALL_BITS, (socket.AF_INET, socket.AF_INET6)),
                Condition(1, 0xF, (socket.SOCK_DGRAM,)),
            ),
        ),
        Rule("socketpair", (Condition(0, ALL_BITS, (socket.AF_UNIX,)),)),  # the loop's, for signals
        *(
            Rule(call, (Condition(place, os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC, (0,)),))
            for call, place in (("openat", 2), ("open", 1))
        ),
        *_allowed("lseek pread64 fstat newfstatat stat lstat statx getdents64 readlink readlinkat"),
        *_allowed("access faccessat faccessat2 getcwd fcntl dup"),
        Rule("ioctl", (Condition(1, ALL_BITS, _IOCTLS),)),
        # secret memory
        *_allowed("memfd_secret ftruncate"),
        # about itself
        *_allowed("getuid geteuid getgid getegid getppid getrusage uname sysinfo getcpu"),
        *_allowed("sched_getaffinity sched_getscheduler sched_getparam"),
        Rule("prctl", (Condition(0, ALL_BITS, _PRCTLS),)),
        # that reads a limit, and sets none
        Rule("prlimit64", (Condition(2, ALL_BITS, (0,)), Condition(2, ALL_BITS, (0,), upper=True))),
    ),
    others=False,
)


def confine(kind: CallFilter) -> bool:
    """Hold this process to a filter. False, with a line in the log, where there is none to be had.
    Raises OSError where it cannot be installed for another reason: the process is not to go on."""
    try:
        install(kind)
    except OSError as error:
        if error.errno not in _NOT_TO_BE_HAD:
            raise
        log.warning("no_system_call_filter", why=error.strerror, hint="see `tonewall doctor`")
        return False
    return True
