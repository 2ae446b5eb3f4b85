"""The journal: what may have been sent, on disk before a byte of it leaves.

Rule 1: `begin` returns None only after the entry is durable (fsync); only then may the charge be
        sent, and only once.
Rule 2: a key that stands here is never sent again, whatever became of it.
Rule 3: no card data: the charge, times, the steps of its sending, and the outcome.
Rule 4: of a charge that nobody sends any more, `resolve` says what became of it, and notes that, so
        that it is not sent later.
Rule 5: nothing is deleted. At `ROTATE_AT` bytes the file gets the time as a suffix; the newest of
        those and the current one are searched, so a payer reads at most about twice that. How long
        old ones are kept is the operator's choice.

Several payers share the file: each holds an flock on `<path>.lock` while it looks and appends. A
line that a crash cut short is ignored: if it was a `sending`, fsync had not returned and nothing
was sent; if it was a `finished`, the `sending` before it stands, and the charge counts as one that
may have been sent.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from provider_adapters.payer.entry import Decider, Entry, make_entry
from provider_adapters.payer.line_search import lines_with
from provider_adapters.payment import (
    APPROVALS,
    Accepted,
    Charge,
    Failed,
    Link,
    LinkRequest,
    Outcome,
    Unknown,
)
from tonewall.disk import check_space
from tonewall.log import get_logger

log = get_logger(__name__)
ROTATE_AT = 16 * 1024 * 1024
_ENTRY = msgspec.json.Decoder(Entry)


class Journal:
    """The journal at `path`; its directory is made where it is missing. Methods raise OSError where
    the disk fails."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = path.with_name(path.name + ".lock")

    def open(self) -> None:
        """Make sure that the journal can be written, before it matters. To be asked again while
        nothing is written."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            file = self._open()
            try:
                empty = os.fstat(file).st_size == 0
            finally:
                os.close(file)
            if empty and not self._rotated():
                self._append(Entry(at=_now(), state="opened"))
            self._sync_directory()
        check_space(self._path)

    def begin(self, charge: Charge, provider: str = "") -> Outcome | None:
        """Note that the charge is about to be sent. None: noted. Else it must not be sent, and this
        is its outcome."""
        with self._locked():
            known = self._find(charge.idempotency_key)
            if known is None:
                self._append(make_entry(_now(), charge, "sending", provider=provider))
                return None
        if (known.transaction_id, known.amount, known.currency) != (
            charge.transaction_id,
            charge.amount,
            charge.currency,
        ):
            return Failed(reason="key_of_another_charge")
        if isinstance(known.outcome, Accepted) or known.kind == "link":
            return Failed(reason="key_of_another_charge")
        return known.outcome or Unknown(reason="already_sent")

    def note_step(self, charge: Charge, provider: str, step: str, notes: Mapping[str, str]) -> None:
        """Note that a request of the charge is about to be sent; on disk when this returns."""
        with self._locked():
            self._append(
                make_entry(_now(), charge, "sending", provider=provider, step=step, notes=dict(notes))
            )

    def finish(self, charge: Charge, outcome: Outcome, provider: str = "") -> Outcome:
        """Note the outcome. `provider`: the one that was tried last. Returns what stands: what
        others found meanwhile gives way to an approval alone."""
        with self._locked():
            known = self._find(charge.idempotency_key)
            stands = known.outcome if known is not None and known.is_decided else None
            gives_way = isinstance(outcome, APPROVALS) and not isinstance(stands, APPROVALS)
            differs = isinstance(outcome, APPROVALS) != isinstance(stands, APPROVALS)
            if stands is not None and differs and not isinstance(outcome, Unknown):
                log.error("outcome_contradicted", kind="charge", payment=charge.idempotency_key)
            if stands is not None and not isinstance(stands, Accepted) and not gives_way:
                return stands
            self._append(make_entry(_now(), charge, "finished", outcome, provider=provider))
            return outcome

    def decide(self, key: str, outcome: Outcome | Accepted, by: Decider) -> bool:
        """Note an outcome that was found later. False where the key is unknown here, or decided."""
        with self._locked():
            known = self._find(key)
            if known is None or not (known.is_open or isinstance(known.outcome, Accepted)):
                return False
            self._append(
                msgspec.structs.replace(known, at=_now(), state="finished", outcome=outcome, step="", by=by)
            )
            return True

    def settle(self, line: Entry, patience: float) -> tuple[Entry | None, bool]:
        """Note what a person says of a request that nobody decided: `line`, which is taken whole
        where nothing stands under its key. What stands then, and whether that is new; None while a
        sender may still be at it, for `patience` seconds after it noted that it sends, or a link
        can still be paid."""
        with self._locked():
            known = self._find(line.key)
            if known is not None and known.is_decided:
                return known, False
            if known is not None and known.state == "sending" and _age(known) < patience:
                return None, False
            if known is not None and known.is_open and known.link and time.time() < known.link.expires_at:
                return None, False
            if known is not None:
                line = msgspec.structs.replace(
                    known, at=line.at, state="finished", outcome=line.outcome, step="",
                    by=line.by, who=line.who,
                )  # fmt: skip
            self._append(line)
            return line, True

    def begin_later(
        self,
        key: str,
        charge: Charge,
        provider: str,
        kind: Literal["saved", "capture", "void", "refund"],
        *,
        reference: str = "",
        amount: int | None = None,
    ) -> Outcome | Accepted | None:
        """As `begin`, for what is sent without a card: a charge of a saved one, or what is done
        later about a charge. `amount`: of it, where that is not the charge's."""
        entry = make_entry(_now(), charge, "sending", provider=provider)
        entry = msgspec.structs.replace(
            entry, key=key, kind=kind, of="" if kind == "saved" else charge.idempotency_key,
            reference=reference, amount=charge.amount if amount is None else amount,
        )  # fmt: skip
        with self._locked():
            known = self._find(key)
            if known is None:
                self._append(entry)
                return None
        names = ("transaction_id", "amount", "currency", "kind", "of")
        if any(getattr(known, name) != getattr(entry, name) for name in names):
            return Failed(reason="key_of_another_charge")
        return known.outcome or Unknown(reason="already_sent")

    def begin_link(self, request: LinkRequest, provider: str) -> Entry | Failed:
        """Note that a link is about to be opened, and return the line that stands under its key
        now: one without a URL is to be opened, or to be opened again."""
        entry = msgspec.structs.replace(
            make_entry(_now(), request.charge, "sending", provider=provider),
            kind="link", link=Link(url="", reference="", expires_at=request.expires_at),
        )  # fmt: skip
        with self._locked():
            known = self._find(entry.key)
            if known is None:
                self._append(entry)
                return entry
        names = ("transaction_id", "amount", "currency", "kind", "provider")
        if any(getattr(known, name) != getattr(entry, name) for name in names):
            return Failed(reason="key_of_another_charge")
        return known

    def note_link(self, key: str, link: Link) -> bool:
        """Note an opened link. False where the key is decided: nobody shall get the link."""
        with self._locked():
            known = self._find(key)
            if known is None or not known.is_open:
                return False
            self._append(msgspec.structs.replace(known, at=_now(), link=link))
            return True

    def keep_link(self, entry: Entry) -> None:
        """Note an open link again, so that it stands in the files that are searched."""
        with self._locked():
            known = self._find(entry.key) or entry
            if known.is_open:
                self._append(known)

    def complete(self, key: str, reference: str) -> None:
        """Note under which reference the provider has a payment that was approved without one."""
        with self._locked():
            known = self._find(key)
            if known is not None and isinstance(known.outcome, APPROVALS) and not known.outcome.reference:
                outcome = msgspec.structs.replace(known.outcome, reference=reference)
                self._append(msgspec.structs.replace(known, at=_now(), outcome=outcome))

    def note_later_step(self, key: str, step: str, notes: Mapping[str, str]) -> None:
        """As `note_step`, by the key."""
        with self._locked():
            known = self._find(key)
            assert known is not None
            self._append(
                msgspec.structs.replace(known, at=_now(), state="sending", step=step, notes=dict(notes))
            )

    def resolve(self, charge: Charge, submitted_at: float, patience: float) -> Outcome | None:
        """What became of a charge that was submitted then (seconds since the epoch); None while a
        payer may still be at it.

        A payer is given up `patience` seconds after it noted that it sends. What was never noted is
        closed here, and then certainly never sent: but a journal that is younger than the charge
        cannot say so."""
        with self._locked():
            known = self._find(charge.idempotency_key)
            if known is not None and known.kind == "link" and known.is_open:
                return None
            if known is not None and (known.outcome or _age(known) < patience):
                return None if isinstance(known.outcome, Accepted) else known.outcome
            outcome: Outcome
            if known is not None:
                outcome = Unknown(reason="outcome_not_recorded")
            elif self._begins_before(submitted_at):
                outcome = Failed(reason="not_sent")
            else:
                outcome = Unknown(reason="journal_too_young")
            self._append(make_entry(_now(), charge, "finished", outcome))
            return outcome

    def _begins_before(self, moment: float) -> bool:
        for path in (*self._rotated()[-1:], self._path):
            with path.open("rb") as file:
                line = file.readline()
            try:
                return datetime.fromisoformat(_ENTRY.decode(line).at).timestamp() <= moment
            except (msgspec.DecodeError, ValueError):
                continue
        return False

    def lookup(self, key: str) -> Entry | None:
        """The newest entry under the key."""
        with self._locked():
            return self._find(key)

    def lookup_or_close(self, closing: Entry, handed_at: float) -> Entry | None:
        """The newest entry under the key of `closing`. Where there is none, though it was handed
        over then (seconds since the epoch), `closing` becomes that; None where this journal is
        younger."""
        with self._locked():
            known = self._find(closing.key)
            if known is None and self._begins_before(handed_at):
                self._append(closing)
                return closing
            return known

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _append(self, entry: Entry) -> None:
        line = msgspec.json.encode(entry) + b"\n"
        file = self._open()
        try:
            size = os.fstat(file).st_size
            if size >= ROTATE_AT:
                os.rename(self._path, self._path.with_name(f"{self._path.name}.{time.time_ns():020d}"))
                os.close(file)
                file = self._open()
                size = 0
            if size and os.pread(file, 1, size - 1) != b"\n":
                line = b"\n" + line  # close the line that a crash cut short
            if os.write(file, line) != len(line):
                raise OSError("short write to the journal")
            os.fsync(file)
        finally:
            os.close(file)
        if size == 0:
            self._sync_directory()

    def _sync_directory(self) -> None:
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _rotated(self) -> list[Path]:
        """The older files, oldest first."""
        return sorted(self._path.parent.glob(f"{self._path.name}.[0-9]*"))

    def _find(self, key: str) -> Entry | None:
        wanted = msgspec.json.encode(key)
        for path in (self._path, *self._rotated()[-1:]):
            newest = None
            for line in lines_with(path, wanted):
                try:
                    entry = _ENTRY.decode(line)
                except msgspec.DecodeError:
                    continue
                if entry.key == key:
                    newest = entry if newest is None else entry.after(newest)
            if newest is not None:
                return newest
        return None


def _age(entry: Entry) -> float:
    """Seconds since the entry was written."""
    return (datetime.now(UTC) - datetime.fromisoformat(entry.at)).total_seconds()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
