"""Gives the supervisor, and with it everything that it starts, what the systemd unit gives: no
capability, no new privileges, no memory that is written and run."""

from __future__ import annotations

import ctypes

_NO_NEW_PRIVS, _DROP_BOUNDING, _MDWE, _REFUSE_GAIN = 38, 24, 65, 1
_LAST_CAPABILITY = 40
_CAPSET, _VERSION_3 = 126, 0x20080522  # x86_64
_libc = ctypes.CDLL(None, use_errno=True)


def _sandbox() -> None:
    for number in range(_LAST_CAPABILITY + 1):
        _libc.prctl(_DROP_BOUNDING, number, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    _libc.syscall(_CAPSET, header, (ctypes.c_uint32 * 6)())
    for option, value in ((_NO_NEW_PRIVS, 1), (_MDWE, _REFUSE_GAIN)):
        if _libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {option}")


_sandbox()
