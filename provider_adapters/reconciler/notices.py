"""Keeps the notices that webhooks brought, and applies each to its charge, once.

Rule 1: a notice is on disk before its provider hears that it was taken: it is not sent again.
Rule 2: an event that was seen changes nothing when it comes again, over restarts too.
Rule 3: a notice that cannot be applied yet waits for its charge's next line in the journal.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from provider_adapters.base import Flow
from provider_adapters.notice import Notice
from provider_adapters.payer.entry import Entry
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import name_provider, outcome_type
from provider_adapters.reconciler.verdict import (
    Ask,
    Complete,
    Contradiction,
    Decide,
    Ignore,
    Wait,
    is_charge,
    judge,
)
from provider_adapters.reconciler.withholding import withhold_card_numbers
from tonewall.disk import check_space
from tonewall.log import get_logger

log = get_logger(__name__)
MAX_EVENTS = 20_000  # ids that are remembered; twice as many lines are on disk at most
_MAX_REFERENCES = 100_000
_RETRY = 5.0  # seconds after a failed write


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the file: an event that came, or, without its notice, that it was applied."""

    event: str
    notice: Notice | None = None


_LINE = msgspec.json.Decoder(Line)


class NoticeFile:
    """The events that were seen, on disk. Methods raise OSError where the disk fails."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0
        self._seen: dict[str, Notice | None] = {}

    def open(self) -> list[Notice]:
        """Read what earlier processes took, and did not apply."""
        with contextlib.suppress(FileNotFoundError):
            for raw in self._path.read_bytes().split(b"\n"):
                # The last may be cut short by a crash: then nobody was told that it was taken.
                with contextlib.suppress(msgspec.DecodeError):
                    line = _LINE.decode(raw)
                    self._seen[line.event] = line.notice
                    self._lines += 1
        if self._lines:
            self._shorten()
        return [notice for notice in self._seen.values() if notice is not None]

    def knows(self, event: str) -> bool:
        """Whether the event came before."""
        return event in self._seen

    def take(self, notices: Iterable[Notice]) -> None:
        """Note new notices; on disk when this returns."""
        new = {notice.event: notice for notice in notices}
        check_space(self._path)
        self._append([Line(event, notice) for event, notice in new.items()])
        self._seen |= new

    def close(self, event: str) -> None:
        """Note that the notice was applied."""
        if self._seen.get(event) is not None:
            self._append([Line(event)])
            self._seen[event] = None
        if self._lines > 2 * MAX_EVENTS:
            self._shorten()

    def _append(self, lines: list[Line]) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _write(file, lines)
        finally:
            os.close(file)
        self._lines += len(lines)

    def _shorten(self) -> None:
        """Write the file anew: the newest events, and all that wait."""
        oldest = len(self._seen) - MAX_EVENTS
        self._seen = {
            event: notice
            for at, (event, notice) in enumerate(self._seen.items())
            if at >= oldest or notice is not None
        }
        beside = self._path.with_name(self._path.name + ".new")
        file = os.open(beside, os.O_WRONLY | os.O_TRUNC | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _write(file, [Line(event, notice) for event, notice in self._seen.items()])
        finally:
            os.close(file)
        beside.replace(self._path)
        self._lines = len(self._seen)


def _write(file: int, lines: list[Line]) -> None:
    # A newline before as well: what a crash cut short ends there.
    data = b"\n" + b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    if os.write(file, data) != len(data):
        raise OSError("short write of notices")
    os.fsync(file)


@dataclass(slots=True)
class _Waiting:
    until: float
    notices: list[Notice] = field(default_factory=list)


class Notices:
    """All notices, and what follows from them. `patience`: seconds that a sender may take.

    `can_inquire` says whether the provider can be asked about an entry; `ask` has it asked at once
    about a key; `examine` looks into a claim that contradicts what is decided."""

    def __init__(
        self,
        file: NoticeFile,
        journal: Journal,
        patience: float,
        *,
        can_inquire: Callable[[Entry], bool],
        ask: Callable[[str], object],
        examine: Callable[[Notice, Entry], None],
    ) -> None:
        self._file, self._journal, self._patience = file, journal, patience
        self._can_inquire, self._ask, self._examine = can_inquire, ask, examine
        self._waiting: dict[str, _Waiting] = {}
        self._keys: dict[str, str] = {}  # by the provider's reference
        self.taken = 0
        """How many events came, each counted once."""

    def open(self, now: float) -> None:
        """Go on with what an earlier process took. Raises OSError."""
        for notice in self._file.open():
            self._wait(notice.key, notice, now)

    def observe(self, entry: Entry) -> None:
        """Follow one line of the journal: notices of its key can be applied at the next `apply`."""
        if not entry.key:
            return
        references = list(entry.notes.values())
        references += entry.link.reference.split("/") if entry.link is not None else ()
        references.append(getattr(entry.outcome, "reference", None) or "")
        for reference in filter(None, references):
            self._keys[reference] = entry.key
        while len(self._keys) > _MAX_REFERENCES:
            del self._keys[next(iter(self._keys))]
        waiting = self._waiting.get(entry.key)
        if waiting is not None and entry.state == "finished":
            waiting.until = 0.0

    def take(self, notices: Iterable[Notice], now: float) -> None:
        """Keep those that are new, and apply what can be. Raises OSError: then none was taken."""
        new = {notice.event: notice for notice in notices if not self._file.knows(notice.event)}
        if not new:
            return
        self._file.take(new.values())
        self.taken += len(new)
        for notice in new.values():
            self._wait(notice.key, notice, now)
        self.apply(now)

    def apply(self, now: float) -> None:
        """Apply what waits and is due."""
        due = [key for key, each in self._waiting.items() if each.until <= now]
        for notice in [notice for key in due for notice in self._waiting.pop(key).notices]:
            try:
                self._apply(notice, now)
            except OSError as error:
                log.error("journal_failed", setting="[provider] journal", exc_info=error)
                self._wait(notice.key, notice, now + _RETRY)

    def _wait(self, key: str, notice: Notice, until: float) -> None:
        waiting = self._waiting.setdefault(key, _Waiting(until))
        waiting.until = min(waiting.until, until)
        waiting.notices.append(notice)

    def _find(self, notice: Notice) -> Entry | None:
        """The newest entry that a notice speaks of: under its key, or under that of its reference,
        where the key is another request's."""
        found = self._journal.lookup(notice.key) if notice.key else None
        kind = None if found is None else "charge" if is_charge(found) else found.kind
        if kind != notice.about and (key := self._keys.get(notice.reference)) is not None:
            found = self._journal.lookup(key)
        return found

    def _apply(self, notice: Notice, now: float) -> None:
        entry = self._find(notice)
        can_inquire = entry is not None and self._can_inquire(entry)
        verdict = judge(notice, entry, now, self._patience, can_inquire=can_inquire)
        claim = None if notice.claim is None else outcome_type(notice.claim)
        if isinstance(verdict, Wait):
            assert entry is not None
            self._wait(entry.key, msgspec.structs.replace(notice, key=entry.key), verdict.until)
            return
        if entry is not None and isinstance(verdict, Decide):
            outcome = name_provider(withhold_card_numbers(verdict.outcome), entry.provider)
            if not self._journal.decide(entry.key, outcome, "webhook"):
                # Somebody was faster: what is known now is judged at once.
                self._wait(entry.key, notice, now)
                return
            log.info("reconciled", outcome=outcome_type(verdict.outcome), payment=entry.key)
        elif entry is not None and isinstance(verdict, Ask):
            self._ask(entry.key)
            if verdict.again_at is not None:
                self._wait(entry.key, msgspec.structs.replace(notice, key=entry.key), verdict.again_at)
                return
        elif entry is not None and isinstance(verdict, Complete):
            self._journal.complete(entry.key, withhold_card_numbers(verdict.claim).reference)
        elif entry is not None and isinstance(verdict, Contradiction):
            self._examine(notice, entry)
        elif isinstance(verdict, Ignore):
            level = log.warning if verdict.why == "left_to_a_person" else log.debug
            level("notice_ignored", why=verdict.why, kind=notice.about, outcome=claim)
        self._file.close(notice.event)


def can_inquire(flow: Flow[Any], entry: Entry) -> bool:
    """Whether an adapter has anything to ask about an entry: its inquiry yields a request, or knows
    an answer without one."""
    if entry.kind == "link":
        return entry.link is not None and bool(entry.link.url)
    inquiry = flow.inquire(entry.charge, entry.notes)
    try:
        next(inquiry)
    except StopIteration as end:
        return end.value is not None
    finally:
        inquiry.close()
    return True
