"""Describes how two calls are joined, as `attended_join` has planned it."""

from __future__ import annotations

from dataclasses import dataclass

from media.events import Side


@dataclass(frozen=True, slots=True)
class AttendedTransfer:
    """How two calls are joined. `place`: the side of the call that goes on where the leg of the
    side `lends` of the other call goes. `lender_asked`: the REFER came in that other call."""

    place: Side
    lends: Side
    lender_asked: bool
