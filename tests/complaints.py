"""What goes wrong beside a test fails the test: error lines of any process, exceptions that nobody
awaited.

Rule 1: an error that a test provokes is named in the test: `expect_error` where it has to come,
        `permit_error` where its coming is a matter of time.
Rule 2: a line that is no log entry, as a traceback is none, is an error.
Rule 3: a log is read on from where the test before left it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What PJSIP prints before it can be silenced, where it is the engine.
PRINTED_BY_PJSIP = ("pjlib", "sip_endpoint.c", "sip_transport.c", "pjsua_core.c")
_HARMLESS = frozenset({"debug", "info", "warning"})


@dataclass(frozen=True, slots=True)
class Named:
    """An error that is known before: the event of its log entry (or a part of the line) and some of
    its fields."""

    event: str
    fields: tuple[tuple[str, Any], ...]
    must: bool

    def is_in(self, complaint: Complaint) -> bool:
        if complaint.entry:
            same = all(complaint.entry.get(name) == value for name, value in self.fields)
            return complaint.entry.get("event") == self.event and same
        return self.event in complaint.text

    def __str__(self) -> str:
        return " ".join([repr(self.event), *(f"{name}={value!r}" for name, value in self.fields)])


@dataclass(frozen=True, slots=True)
class Complaint:
    """One line that says that something went wrong. `entry`: what the log entry holds, if it is
    one."""

    text: str
    entry: MutableMapping[str, Any] = field(default_factory=dict)


def complaint_of(line: str) -> Complaint | None:
    """What a line of a log complains of, if it does."""
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        return Complaint(line) if line.strip() else None
    return Complaint(line, entry) if complains(entry) else None


def complains(entry: MutableMapping[str, Any]) -> bool:
    """Whether a log entry is an error, or a warning of asyncio's."""
    level = entry.get("level")
    return level not in _HARMLESS or (level == "warning" and entry.get("what") == "asyncio")


@dataclass(slots=True)
class Complaints:
    """Of the test that runs now."""

    found: list[Complaint] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)
    _logs: dict[Path, int] = field(default_factory=dict)  # how much of each was read

    def begin(self) -> None:
        self._read()  # what other tests left behind themselves is theirs
        self.found.clear()
        self.named.clear()
        for log in [log for log in self._logs if not log.exists()]:
            del self._logs[log]

    def watch(self, log: Path) -> None:
        """Read this log at the end of the test, if there is one by then."""
        self._logs.setdefault(log, 0)

    def end(self) -> list[str]:
        """A sentence for each error that nobody named, and for each that was to come and did
        not."""
        self._read()
        unnamed = [each for each in self.found if not any(named.is_in(each) for named in self.named)]
        missing = [named for named in self.named if named.must and not any(map(named.is_in, self.found))]
        return [f"unexpected: {each.text}" for each in unnamed] + [
            f"never came: {named}" for named in missing
        ]

    def _read(self) -> None:
        for log, offset in self._logs.items():
            if log.exists():
                with log.open("rb") as text:
                    text.seek(offset)
                    new = text.read()
                self._logs[log] = offset + len(new)
                lines = new.decode(errors="replace").splitlines()
                self.found += [found for line in lines if (found := complaint_of(line)) is not None]


COMPLAINTS = Complaints()


def expect_error(event: str, **fields: Any) -> None:
    """This test provokes an error of that event, in whatever process; it fails where none comes."""
    COMPLAINTS.named.append(Named(event, tuple(fields.items()), must=True))


def permit_error(event: str, **fields: Any) -> None:
    """This test may provoke an error of that event."""
    COMPLAINTS.named.append(Named(event, tuple(fields.items()), must=False))


def keep(_logger: object, _name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor for structlog: errors that are logged in the test's own process."""
    if complains(entry):
        COMPLAINTS.found.append(Complaint(str(dict(entry)), dict(entry)))
    return entry


class Asyncio(logging.Handler):
    """What asyncio says of the test's own process: above all exceptions that nobody retrieved."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            error = record.exc_info[1] if record.exc_info else None
            text = f"asyncio: {record.getMessage()}" + (f" ({error!r})" if error else "")
            COMPLAINTS.found.append(Complaint(text, {"event": "asyncio", "error": type(error).__name__}))
