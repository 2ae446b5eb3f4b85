"""Reads kept calls as their next process would, and goes on with none: could it?

Rule 1: the file is read, never written: another process is at work with it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from b2bua.call import snapshot as calls
from b2bua.sip import snapshot as legs
from b2bua.sip.snapshot_names import NAMED
from b2bua.switchboard.call_slots import CallSlots
from tonewall.snapshot import SnapshotError, read

_MAX_REASONS: Final = 5


class _AnyNames:
    """Each name leads to an object that is nothing."""

    kinds: tuple[type, ...] = NAMED

    def name_of(self, value: Any) -> Any:
        del value

    def find(self, name: Any) -> object:
        del name
        return object()


def try_calls(descriptor: int, now: float) -> tuple[int, tuple[str, ...]]:
    """How many calls are in the file, and why some cannot be read, the first few. `now`: on the
    monotonic clock. Raises OSError."""
    count, reasons = 0, []
    for kept in CallSlots(descriptor).read():
        count += 1
        try:
            of_legs, of_calls = msgspec.msgpack.decode(kept.data, type=tuple[bytes, bytes])
            read(of_legs, legs.KINDS, now, _AnyNames())
            read(of_calls, calls.KINDS, now)
        except (msgspec.DecodeError, SnapshotError) as error:
            reasons.append(f"call {kept.id}: {error}")
    return count, tuple(reasons[:_MAX_REASONS])
