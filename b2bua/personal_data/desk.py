"""Exports and erases what a running Tonewall keeps on a person, by telephone number.

Rule 1: what the law wants kept stays: that a payment was made, its amount and references, and who
        did what. The number goes.
Rule 2: nothing under way is touched; the answer says what is left, and that it is to be asked
        again.
Rule 3: what was erased is overwritten in the files, or the answer says that it is not.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

from b2bua.call.pseudonyms import Pseudonyms
from b2bua.call.view import CallView
from b2bua.ladder.ladders import Ladders
from b2bua.ladder.view import LadderView
from b2bua.personal_data.calls import erase_calls, erase_set_aside, find_calls, overwrite_erased
from b2bua.personal_data.wanted import ERASED, Wanted
from b2bua.records.payments import PaymentTable

_KEPT: Final = (
    "Call records without the number: times, trunks, counts.",
    "Payments without the number: amount, references, brand and last four digits, outcome, who did "
    "what. Books have to show them for as long as the law says; [cdr] retention deletes them.",
    "The payers' journal, which keeps a card from being charged twice: amounts and references alone.",
    "The audit log, which names no number of a caller. An agent's telephone that acted for itself "
    "stands in it, and in payments, as phone:NUMBER; with [audit] erasable, `tonewall audit erase "
    "--who phone:NUMBER` forgets it in the log.",
    "People, keys and sessions of [access] directory, which have no telephone number.",
    "Backups and copies, exports that were made before, and what webhooks told your own services.",
)
_UNDER_WAY: Final = "Something under way needs it. Ask again when it is over."


class Unreadable(Exception):
    """A database cannot be read or written now; `str(error)` names the setting."""


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on a person, as it is kept. `calls`: rows of call records; `payments`: those of
    these calls, and those that name the number; `others`: other documents that name it, each with
    its kind."""

    made_at: str
    calls: list[dict[str, Any]]
    payments: list[dict[str, Any]]
    others: list[dict[str, Any]]
    ladders: list[LadderView]
    under_way: list[CallView]


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """Where the number still is: how often, and why."""

    what: str
    count: int
    why: str


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased, or would be (`dry_run`): how many of each kind. `left`: where the number
    still is; `kept`: what stays by rule, without the number."""

    dry_run: bool
    erased: dict[str, int]
    left: list[Left]
    kept: tuple[str, ...] = _KEPT

    @property
    def is_complete(self) -> bool:
        """Whether the number is nowhere any more."""
        return not self.left


class Records(Protocol):
    """The call records on their way to the database."""

    refused: Path

    def are_waiting(self) -> bool:
        """Whether records wait for the database."""
        ...


class Calls(Protocol):
    """The calls under way, and the table of payments in its thread."""

    def calls(self) -> list[CallView]:
        """Those under way."""
        ...

    def on_payments(self, work: Callable[[PaymentTable], Any]) -> Awaitable[Any]:
        """What `work` makes of the table. Raises sqlite3.Error."""
        ...


class PersonalData:
    """What this process keeps, and the databases that it writes."""

    def __init__(
        self,
        engine: sqlalchemy.Engine,
        records: Records,
        calls: Calls,
        ladders: Ladders,
        pseudonyms: Pseudonyms,
    ) -> None:
        self._engine, self._records, self._calls = engine, records, calls
        self._ladders, self._pseudonyms = ladders, pseudonyms
        self._lock = asyncio.Lock()

    async def export(self, numbers: Sequence[str]) -> Export:
        """Everything on the person with these numbers. Raises Unreadable."""
        wanted = Wanted(numbers, self._pseudonyms)
        rows = await self._on_calls(find_calls, wanted)
        calls = {row["call"] for row in rows}

        def find(table: PaymentTable) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
            payments, others = [], []
            for kept in table.texts.all():
                document = msgspec.json.decode(kept.document)
                is_named = wanted.blank(document) != document
                if kept.what == "payments" and (is_named or document["call"] in calls):
                    payments.append(document)
                elif is_named:
                    others.append({"kind": kept.what, **document})
            return payments, others

        payments, others = await self._on_payments(find)
        return Export(
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            calls=rows,
            payments=payments,
            others=others,
            ladders=[
                self._ladders.ladder_of(each.id)
                for each in self._ladders.recent_calls()
                if wanted.is_it(each.caller) or wanted.is_it(each.callee)
            ],
            under_way=self._under_way(wanted),
        )

    async def erase(self, numbers: Sequence[str], *, dry_run: bool) -> Erasure:
        """Erase the numbers. `dry_run`: only count. Raises Unreadable."""
        async with self._lock:
            return await self._erase(Wanted(numbers, self._pseudonyms), dry_run=dry_run)

    async def _erase(self, wanted: Wanted, *, dry_run: bool) -> Erasure:
        erased, needed = await self._on_payments(
            lambda table: table.texts.change(wanted.blank_encoded, dry_run=dry_run)
        )
        if dry_run:
            erased["calls"] = len(await self._on_calls(find_calls, wanted))
        else:
            erased["calls"] = await self._on_calls(erase_calls, wanted)
        try:
            refused = self._records.refused
            erased["records set aside"] = await asyncio.to_thread(
                erase_set_aside, refused, wanted, dry_run=dry_run
            )
        except OSError as error:
            raise Unreadable(f"{refused} cannot be written: {error.strerror}.") from None
        erased["ladders"] = self._ladders.hide(wanted.is_it, ERASED, dry_run=dry_run)
        left = [Left(what=what, count=count, why=_UNDER_WAY) for what, count in needed.items()]
        if under_way := len(self._under_way(wanted)):
            left.append(Left(what="calls under way", count=under_way, why=_UNDER_WAY))
        if not dry_run:
            left += await self._overwrite()
        if self._records.are_waiting():
            why = "Call records wait for the database, or will do in a moment. Ask again."
            left.append(Left(what="[cdr] spool", count=1, why=why))
        return Erasure(dry_run=dry_run, erased={what: n for what, n in erased.items() if n}, left=left)

    async def _overwrite(self) -> list[Left]:
        why = "Somebody reads it, so that its log holds what was erased. Ask again."
        is_done = (
            await self._on_calls(overwrite_erased),
            await self._on_payments(lambda t: t.texts.overwrite()),
        )
        names = ("[cdr] url", "[cdr] payments")
        return [
            Left(what=name, count=1, why=why) for name, done in zip(names, is_done, strict=True) if not done
        ]

    def _under_way(self, wanted: Wanted) -> list[CallView]:
        return [
            call for call in self._calls.calls() if wanted.is_it(call.caller) or wanted.is_it(call.callee)
        ]

    async def _on_calls(self, work: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return await asyncio.to_thread(work, self._engine, *arguments)
        except (SQLAlchemyError, OSError) as error:  # whose texts may quote a value
            what = type(getattr(error, "orig", None) or error).__name__
            raise Unreadable(f"The database of call records does not answer ({what}): [cdr] url.") from None

    async def _on_payments(self, work: Callable[[PaymentTable], Any]) -> Any:
        try:
            return await self._calls.on_payments(work)
        except sqlite3.Error as error:
            why = f"The table of payments cannot be used ({type(error).__name__}): [cdr] payments."
            raise Unreadable(why) from None
