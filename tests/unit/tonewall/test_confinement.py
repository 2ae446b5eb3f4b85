"""What a process may still do under each filter: real processes, real calls."""

from __future__ import annotations

import errno
import json
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tonewall import confinement, seccomp
from tonewall.confinement import confine
from tonewall.seccomp import is_supported
from tonewall.syscall_numbers import NEWEST, NUMBERS

# Each is done once before, which shows that it can be, and once after; what came of it is written
# in one line.
ATTEMPTS = """
import ctypes, json, mmap, os, resource, signal, socket, sys, threading
from tonewall import confinement
from tonewall.syscall_numbers import NUMBERS
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
here = os.path.join(sys.argv[2], "there")
open(here, "w").close()
taken = socket.create_server(("127.0.0.1", 0))
pair = socket.socketpair()
kept = mmap.mmap(-1, 4096)
page = ctypes.addressof(ctypes.c_char.from_buffer(kept))

def asked(name, *arguments):
    number = getattr(NUMBERS[name], os.uname().machine)
    if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) < 0:
        raise OSError(ctypes.get_errno(), name)

def wait(child):
    os.waitpid(child, 0)

def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    wait(child)

def thread():
    one = threading.Thread(target=int)
    try:
        one.start()
    except RuntimeError:  # without the kernel's reason
        raise OSError(1, "no thread") from None
    one.join()

def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")

attempts = {
    "read a file": lambda: os.close(os.open(here, os.O_RDONLY)),
    "write a file": lambda: os.close(os.open(here, os.O_WRONLY)),
    "create": lambda: os.close(os.open(here + "2", os.O_CREAT | os.O_RDWR)),
    "unlink": lambda: os.unlink(here + "2"),
    "list": lambda: os.listdir(sys.argv[2]),
    "datagram socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
    "stream socket": lambda: socket.socket().close(),
    "unix socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).close(),
    "raw packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM).close(),
    "thread": thread,
    "fork": fork,
    "spawn": lambda: wait(os.posix_spawn("/bin/true", ["true"], {})),
    "execute": lambda: os.execv("/nothing", ["nothing"]),
    "kill": lambda: os.kill(os.getpid(), 0),
    "read a limit": lambda: resource.getrlimit(resource.RLIMIT_NOFILE),
    "set a limit": lambda: asked("prlimit64", 0, resource.RLIMIT_CORE, page, 0),  # to 0
    "trace": lambda: asked("ptrace", 16, 2**22, 0, 0),
    "read memory": lambda: asked("process_vm_readv", os.getpid(), 0, 0, 0, 0, 0),
    "watch the kernel": lambda: asked("bpf", 99, 0, 0),
    "fault handler": lambda: asked("userfaultfd", 1),
    "ring": lambda: asked("io_uring_setup", 0, 0),
    "keys": lambda: asked("keyctl", 0, -3, 0, 0, 0),
    "mount": lambda: asked("mount", 0, 0, 0, 0, 0),
    "namespace": lambda: asked("setns", -1, 0),
    "written code": lambda: mmap.mmap(-1, 4096, prot=7).close(),
    "make code": lambda: checked(libc.mprotect(ctypes.c_void_p(page), 4096, 5)),
    "newer than all": lambda: checked(libc.syscall(ctypes.c_long(9999))),
}

def attempt():
    came = {}
    for name, act in attempts.items():
        try:
            act()
            came[name] = 0
        except OSError as error:
            came[name] = error.errno
    return came

before = attempt()
assert confinement.confine(getattr(confinement, sys.argv[1]))
print(json.dumps(before), json.dumps(attempt()), sep="\\n", flush=True)
"""
NOBODY = {
    "trace", "read memory", "watch the kernel", "fault handler", "ring", "keys", "mount", "namespace",
}  # fmt: skip
PROGRAMS = {"fork", "spawn", "execute", "written code", "make code"}
REFUSED = {
    "PLAIN": NOBODY,
    "ALONE": NOBODY | PROGRAMS,
    "MEDIA": NOBODY | PROGRAMS
    | {"write a file", "create", "unlink", "stream socket", "unix socket", "raw packets", "thread", "kill"}
    | {"set a limit"},
}  # fmt: skip


@pytest.mark.skipif(not is_supported(), reason="a kernel without filters")
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_and_what_goes_on(kind: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, kind, str(tmp_path)], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, after = (json.loads(line) for line in done.stdout.splitlines())
    # What failed for another reason before is refused now.
    assert {name for name in after if after[name] == errno.EPERM and before[name] != errno.EPERM} == {
        name for name in REFUSED[kind] if before[name] != errno.EPERM
    }
    same = set(after) - REFUSED[kind] - {"unlink"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def test_a_kernel_without_filters_is_named_and_any_other_failure_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def install(_: seccomp.CallFilter, number: int = errno.ENOSYS) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(confinement, "install", install)
    assert not confine(confinement.PLAIN)
    monkeypatch.setattr(confinement, "install", lambda kind: install(kind, errno.EBUSY))
    with pytest.raises(OSError, match="no"):
        confine(confinement.PLAIN)


def defined(header: str, *flags: str) -> dict[str, int]:
    """The numbers of a kernel header."""
    found = subprocess.run(
        ["gcc", "-E", "-dM", *flags, "-include", header, "-x", "c", "/dev/null"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    words = dict(re.findall(r"#define (__NR\w+) (\S+)", found))
    for name, value in words.items():
        words[name] = words.get(value, value)
    return {
        name.removeprefix("__NR_").removeprefix("__NR3264_"): int(value)
        for name, value in words.items()
        if value.isdigit()
    }


@pytest.mark.skipif(platform.machine() != "x86_64", reason="headers of x86-64 are needed")
def test_the_numbers_are_those_of_the_kernels_headers() -> None:
    wanted = ("BITS_PER_LONG=64", "ARCH_WANT_RENAMEAT", "ARCH_WANT_NEW_STAT", "ARCH_WANT_SET_GET_RLIMIT")
    wanted += ("ARCH_WANT_SYS_CLONE3", "ARCH_WANT_MEMFD_SECRET")
    generic = defined("asm-generic/unistd.h", *(f"-D__{each}" for each in wanted))
    intel = defined("asm/unistd_64.h")
    for name, numbers in NUMBERS.items():
        assert numbers == (intel.get(name), generic.get(name)), name
    known = [number for numbers in NUMBERS.values() for number in numbers if number is not None]
    assert max(known) <= NEWEST
