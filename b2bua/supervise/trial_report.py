"""What the code on disk says of itself before an upgrade (`b2bua.commands.trial`)."""

from __future__ import annotations

import msgspec

from b2bua.call.schema import SCHEMA
from tonewall.interface import INTERFACE


class TrialReport(msgspec.Struct, frozen=True, kw_only=True):
    """Its version, and whether it can go on. `schema` and `reads`: of calls that are kept, what it
    writes and what it reads; `faults`: of sip.conf; `calls`: how many are kept now; `unreadable`:
    why some of them cannot be read."""

    version: str
    interface: int
    schema: int
    reads: tuple[int, ...]
    faults: tuple[str, ...] = ()
    calls: int = 0
    unreadable: tuple[str, ...] = ()


def objections(report: TrialReport) -> tuple[str, ...]:
    """Why that code cannot take over from this, a sentence each."""
    found = list(report.faults)
    if report.interface != INTERFACE:
        found.append(
            f"its processes speak otherwise with each other (interface {report.interface}, this is "
            f"{INTERFACE}): stop Tonewall, and start it again"
        )
    if SCHEMA not in report.reads:
        found.append(
            f"it does not read calls that are kept in schema {SCHEMA}, but {_listed(report.reads)}: stop "
            "Tonewall, and start it again"
        )
    return (*found, *report.unreadable)


def _listed(numbers: tuple[int, ...]) -> str:
    return " and ".join(map(str, numbers)) or "none"
