"""Filters of the system calls that a process may still make (seccomp(2)), for good.

Rule 1: on another processor, or in another calling convention, than the table of numbers is for,
        the process ends at its next call.
Rule 2: a call that is newer than the table is answered as by a kernel that lacks it: libraries then
        do without.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from pathlib import Path
from typing import Final, NamedTuple

from tonewall.syscall_numbers import NEWEST, NUMBERS, Numbers

_PR_SET_NO_NEW_PRIVS, _PR_GET_SECCOMP = 38, 21
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
# Instructions of the kernel's filter machine, and what a filter answers.
_LOAD, _AND, _IF_EQUAL, _IF_ABOVE, _IF_AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x35, 0x06
_KILL_PROCESS, _ERROR, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in what the kernel shows a filter
_X32: Final = 0x40000000  # numbers from here on are of another convention of x86-64
_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALL_BITS: Final = 0xFFFFFFFF


class Condition(NamedTuple):
    """What an argument must be: with `mask`, one of `values`. `upper`: that half of its 64 bits."""

    argument: int
    mask: int
    values: tuple[int, ...]
    upper: bool = False


class Rule(NamedTuple):
    """A system call, which is allowed where all conditions hold, and else fails with `error`."""

    call: str
    conditions: tuple[Condition, ...] = ()
    error: int = errno.EPERM


class CallFilter(NamedTuple):
    """Rules, and whether calls without a rule are allowed."""

    rules: tuple[Rule, ...]
    others: bool


def is_supported() -> bool:
    """Whether this kernel, on this processor, has filters."""
    return platform.machine() in _ARCHITECTURES and _libc().prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0


def is_filtered() -> bool:
    """Whether a filter holds this process."""
    return "\nSeccomp:\t2\n" in Path("/proc/self/status").read_text(encoding="ascii", errors="replace")


def install(chosen: CallFilter) -> None:
    """Hold all threads of this process, and what they start, to a filter. Raises OSError: ENOSYS
    where there is none to be had."""
    machine = platform.machine()
    if not is_supported() or struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    code = assemble(chosen, machine)
    kept = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(kept))
    libc = _libc()
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        _fail(ctypes.get_errno())
    number = ctypes.c_long(_number("seccomp", machine))
    refused = libc.syscall(
        number, ctypes.c_long(_SET_MODE_FILTER), ctypes.c_long(_ALL_THREADS), ctypes.c_char_p(program)
    )
    if refused:  # below 0, or a thread that has a filter of its own
        _fail(ctypes.get_errno() if refused < 0 else errno.EBUSY)


def assemble(chosen: CallFilter, machine: str) -> bytes:
    """The filter as instructions."""
    code = _step(_LOAD, _ARCHITECTURE)
    code += _step(_IF_EQUAL, _ARCHITECTURES[machine], yes=1) + _step(_RETURN, _KILL_PROCESS)
    code += _step(_LOAD, _NUMBER)
    if machine == "x86_64":
        code += _step(_IF_AT_LEAST, _X32, no=1) + _step(_RETURN, _KILL_PROCESS)
    for rule in chosen.rules:
        number = getattr(NUMBERS[rule.call], machine)
        if number is not None:
            block = _block(rule)
            code += _step(_IF_EQUAL, number, no=len(block) // 8) + block
    if chosen.others:
        return code + _step(_RETURN, _ALLOW)
    code += _step(_IF_ABOVE, NEWEST, no=1) + _step(_RETURN, _ERROR | errno.ENOSYS)
    return code + _step(_RETURN, _ERROR | errno.EPERM)


def _block(rule: Rule) -> bytes:
    code = b""
    for argument, mask, values, upper in rule.conditions:
        # The lower half comes first: both processors are little-endian.
        code += _step(_LOAD, _ARGUMENTS + 8 * argument + 4 * upper) + _step(_AND, mask)
        for place, value in enumerate(values):
            code += _step(_IF_EQUAL, value, yes=len(values) - place)
        code += _step(_RETURN, _ERROR | rule.error)
    return code + _step(_RETURN, _ALLOW)


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One instruction; `yes`, `no`: how many of the next are left out then."""
    return struct.pack("HBBI", code, yes, no, value)


def _number(call: str, machine: str) -> int:
    found: Numbers = NUMBERS[call]
    return int(getattr(found, machine))


def _fail(number: int) -> None:
    raise OSError(number, os.strerror(number))


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc
