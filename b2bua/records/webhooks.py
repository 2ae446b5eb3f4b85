"""The tables of webhooks: events about payments, and the delivery of each to every service that
wants it, also after it is over.

Rule 1: an event is written in the transaction of what it reports.
Rule 2: of one payment and one service, a delivery waits for the one before it; one that a person
        asked for again waits for nothing, and holds up nothing.
Rule 3: there is an end to what waits, and to what is kept of what is over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from typing import Final, Literal

import msgspec

State = Literal["waiting", "delivered", "failed"]
STATES: Final[tuple[State, ...]] = ("waiting", "delivered", "failed")
LIFE: Final = 3 * 86_400.0  # seconds for which an event is tried
KEPT: Final = 7 * 86_400.0  # and that its delivery is remembered for, once it is over
MAX_WAITING: Final = 50_000  # deliveries
MAX_KEPT: Final = 20_000  # that are over
_TABLES: Final = """
    CREATE TABLE IF NOT EXISTS webhook_events (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL, subject TEXT NOT NULL,
        kind TEXT NOT NULL, body BLOB NOT NULL, created_at REAL NOT NULL
    );
    CREATE TABLE IF NOT EXISTS webhook_deliveries (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, event INTEGER NOT NULL,
        webhook TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
        next_at REAL, until REAL NOT NULL, in_order INTEGER NOT NULL, tried_at REAL, reason TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS webhook_deliveries_due ON webhook_deliveries (webhook, next_at)
        WHERE state = 'waiting';
    CREATE INDEX IF NOT EXISTS webhook_deliveries_subject ON webhook_deliveries (webhook, subject, number)
        WHERE state = 'waiting';
    CREATE INDEX IF NOT EXISTS webhook_deliveries_over ON webhook_deliveries (tried_at)
        WHERE state <> 'waiting';
    CREATE INDEX IF NOT EXISTS webhook_deliveries_event ON webhook_deliveries (event);
    CREATE INDEX IF NOT EXISTS webhook_events_receipts ON webhook_events (subject)
        WHERE kind = 'payment.receipt';
"""
_FIELDS: Final = """
    d.number, d.id, e.id, d.webhook, e.kind, d.subject, d.state, d.attempts, e.created_at, d.next_at,
    d.until, d.tried_at, d.reason
"""
_JOINED: Final = "webhook_deliveries d JOIN webhook_events e ON e.number = d.event"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has become of a payment. `id` stays the same however often it is sent."""

    id: str
    subject: str
    kind: str
    body: bytes


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way to one service. `next_at`: when it is tried next; None where it waits for
    another event of its payment, or is over. Times in seconds since the epoch."""

    number: int
    id: str
    event: str
    webhook: str
    kind: str
    subject: str
    state: State
    attempts: int
    created_at: float
    next_at: float | None
    until: float
    tried_at: float | None
    reason: str


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for one service. `oldest`: when the oldest of it was written; `failing`: whether
    any of it was tried; `failed`: how many were given up since a time."""

    waiting: int = 0
    oldest: float = 0.0
    failing: bool = False
    failed: int = 0


class WebhookTable:
    """Its methods block; they raise sqlite3.Error where the disk fails."""

    def __init__(self, database: sqlite3.Connection, most: int = MAX_WAITING, kept: int = MAX_KEPT) -> None:
        """`most`: deliveries that wait; `kept`: those that are over."""
        self._database, self._most, self._kept = database, most, kept
        self._database.executescript(_TABLES)
        self.dropped = 0

    def add(self, event: Event, webhooks: Collection[str], now: float) -> bool:
        """Keep an event for these services, inside a transaction; False where there is no room."""
        waiting = self._database.execute(
            "SELECT count(*) FROM webhook_deliveries WHERE state = 'waiting'"
        ).fetchone()[0]
        if waiting + len(webhooks) > self._most:
            self.dropped += len(webhooks)
            return False
        number = self._database.execute(
            "INSERT INTO webhook_events (id, subject, kind, body, created_at) VALUES (?, ?, ?, ?, ?)",
            (event.id, event.subject, event.kind, event.body, now),
        ).lastrowid
        self._database.executemany(
            """
            INSERT INTO webhook_deliveries
                (id, event, webhook, subject, state, attempts, next_at, until, in_order, reason)
            VALUES (?1, ?2, ?3, ?4, 'waiting', 0, CASE WHEN EXISTS (
                SELECT 1 FROM webhook_deliveries
                WHERE webhook = ?3 AND subject = ?4 AND state = 'waiting' AND in_order
            ) THEN NULL ELSE ?5 END, ?6, 1, '')
            """,
            [(f"{event.id}.{name}", number, name, event.subject, now, now + LIFE) for name in webhooks],
        )
        return True

    def count_receipts(self, subject: str) -> int:
        """How many receipts of a payment are kept: those that wait, and those sent of late."""
        query = "SELECT count(*) FROM webhook_events WHERE subject = ? AND kind = 'payment.receipt'"
        found: int = self._database.execute(query, (subject,)).fetchone()[0]
        return found

    def due(self, webhook: str, now: float, most: int) -> list[tuple[Delivery, bytes]]:
        """What may be sent to a service now, each with its body; what is due longest first."""
        rows = self._database.execute(
            f"""
            SELECT {_FIELDS}, e.body FROM {_JOINED}
            WHERE d.webhook = ? AND d.state = 'waiting' AND d.next_at <= ? ORDER BY d.next_at LIMIT ?
            """,  # noqa: S608
            (webhook, now, most),
        )
        return [(_delivery(row), bytes(row[-1])) for row in rows]

    def note(self, delivery: Delivery, now: float) -> None:
        """Write what became of an attempt. Where that was the last, the next event of the payment
        may be sent."""
        self._database.execute("BEGIN IMMEDIATE")
        with self._database:
            self._database.execute(
                """
                UPDATE webhook_deliveries SET state = ?, attempts = ?, next_at = ?, tried_at = ?, reason = ?
                WHERE number = ? AND state = 'waiting'
                """,
                (
                    delivery.state, delivery.attempts, delivery.next_at, now, delivery.reason,
                    delivery.number,
                ),
            )  # fmt: skip
            if delivery.state != "waiting":
                self._release_next(delivery.webhook, delivery.subject, now)

    def _release_next(self, webhook: str, subject: str, now: float) -> None:
        self._database.execute(
            """
            UPDATE webhook_deliveries SET next_at = ?3 WHERE next_at IS NULL AND number = (
                SELECT min(number) FROM webhook_deliveries
                WHERE webhook = ?1 AND subject = ?2 AND state = 'waiting' AND in_order
            )
            """,
            (webhook, subject, now),
        )

    def redeliver(self, delivery_id: str, now: float) -> Delivery | None:
        """Try a delivery again, whether it is over or not; one that waits for another is left. None
        where there is no such delivery."""
        self._database.execute("BEGIN IMMEDIATE")
        with self._database:
            self._database.execute(
                """
                UPDATE webhook_deliveries SET next_at = ?2, until = max(until, ?2 + ?3),
                    in_order = state = 'waiting' AND in_order, state = 'waiting',
                    attempts = CASE WHEN state = 'waiting' THEN attempts ELSE 0 END
                WHERE id = ?1 AND (state <> 'waiting' OR next_at IS NOT NULL)
                """,
                (delivery_id, now, LIFE),
            )
        return self.find(delivery_id)

    def find(self, delivery_id: str) -> Delivery | None:
        query = f"SELECT {_FIELDS} FROM {_JOINED} WHERE d.id = ?"  # noqa: S608
        row = self._database.execute(query, (delivery_id,)).fetchone()
        return _delivery(row) if row else None

    def newest(
        self,
        most: int,
        state: State | None = None,
        webhook: str | None = None,
        subject: str | None = None,
        before: str | None = None,
    ) -> list[Delivery]:
        """The newest first. `before`: goes on behind the delivery of that id."""
        wanted = {"d.state": state, "d.webhook": webhook, "d.subject": subject}
        given = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(["TRUE", *(f"{name} = ?" for name in given)])
        rows = self._database.execute(
            f"""
            SELECT {_FIELDS} FROM {_JOINED}
            WHERE {where} AND (? IS NULL OR d.number < (SELECT number FROM webhook_deliveries WHERE id = ?))
            ORDER BY d.number DESC LIMIT ?
            """,  # noqa: S608
            (*given.values(), before, before, most),
        )
        return [_delivery(row) for row in rows]

    def backlogs(self, failed_since: float) -> dict[str, Backlog]:
        """What waits, and what was given up since then, by service."""
        found = {
            webhook: Backlog(waiting=waiting, oldest=oldest, failing=bool(failing))
            for webhook, waiting, oldest, failing in self._database.execute(
                f"""
                SELECT d.webhook, count(*), min(e.created_at), max(d.attempts) FROM {_JOINED}
                WHERE d.state = 'waiting' GROUP BY d.webhook
                """  # noqa: S608
            )
        }
        query = """
            SELECT webhook, count(*) FROM webhook_deliveries
            WHERE state <> 'waiting' AND tried_at >= ? AND state = 'failed' GROUP BY webhook
        """
        for webhook, failed in self._database.execute(query, (failed_since,)):
            known = found.get(webhook, Backlog())
            found[webhook] = msgspec.structs.replace(known, failed=failed)
        return found

    def prune(self, now: float, webhooks: Iterable[str]) -> None:
        """Give up what waited too long for a service that there is no more, and forget what is over
        for long, or by too many. `webhooks`: the services that there are."""
        names = list(webhooks)
        marks = ", ".join("?" * len(names))
        self._database.execute("BEGIN IMMEDIATE")
        with self._database:
            self._database.execute(
                f"""
                UPDATE webhook_deliveries SET state = 'failed', tried_at = ?, reason = 'no_such_webhook'
                WHERE state = 'waiting' AND until < ? AND webhook NOT IN ({marks})
                """,  # noqa: S608
                (now, now, *names),
            )
            self._database.execute(
                """
                DELETE FROM webhook_deliveries WHERE state <> 'waiting' AND (tried_at < ? OR tried_at <= (
                    SELECT tried_at FROM webhook_deliveries WHERE state <> 'waiting'
                    ORDER BY tried_at DESC LIMIT 1 OFFSET ?
                ))
                """,
                (now - KEPT, self._kept),
            )
            self._database.execute(
                "DELETE FROM webhook_events WHERE number NOT IN (SELECT event FROM webhook_deliveries)"
            )


def _delivery(row: tuple[object, ...]) -> Delivery:
    return Delivery(**dict(zip(Delivery.__struct_fields__, row, strict=False)))  # type: ignore[arg-type]
