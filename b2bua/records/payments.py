"""The table of payments: a file on this machine's disk, since whether a card may be charged must
not wait for a server.

Rule 1: a method returns when what it wrote is on disk (SQLite, synchronous=FULL); it raises
        sqlite3.Error where it cannot be.
Rule 2: whether an order was charged before, and that it is submitted now, is one transaction.
Rule 3: of a card there are brand and last four.
Rule 4: numbers of customers are written as pseudonyms where there is a key for them, and what is
        deleted is overwritten.

Its methods block: b2bua.switchboard.payments calls them on one thread of its own.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec

from b2bua.call.cdr import CallRecord
from b2bua.call.desk import Keep
from b2bua.call.follow_up import FollowUpView
from b2bua.call.link import Recipient
from b2bua.call.order import RequestName
from b2bua.call.pseudonyms import Pseudonyms
from b2bua.call.view import KeyReused, PaymentView
from b2bua.records.decoding import decode_record
from b2bua.records.follow_ups import FollowUpTable
from b2bua.records.kept_texts import KeptTexts
from b2bua.records.links import LinkTable
from b2bua.records.notices import NoticeTable
from provider_adapters.payment import FollowUpOutcome, outcome_type
from tonewall.disk import check_space
from tonewall.log import get_logger

log = get_logger(__name__)
IN_MEMORY = Path(":memory:")
_FINAL = "('finished', 'cancelled', 'aborted')"
_CHARGED = "(stage IN ('charging', 'linked') OR outcome IN ('approved', 'partially_approved', 'unknown'))"
SCANNED = 2000  # payments that are read at most for a list of somebody who sees some only
_MAX_SHOWN = 10  # earlier payments of an order in one answer
_KEY_LIFE = 86_400.0  # seconds that an Idempotency-Key is known
_MAX_KEYS = 10_000
_TABLES = f"""
    CREATE TABLE IF NOT EXISTS payments (
        id TEXT PRIMARY KEY, transaction_id TEXT NOT NULL, started_at REAL NOT NULL,
        stage TEXT NOT NULL, outcome TEXT, view BLOB NOT NULL, call_record BLOB
    );
    CREATE INDEX IF NOT EXISTS payments_transaction_id ON payments (transaction_id, started_at);
    CREATE INDEX IF NOT EXISTS payments_started_at ON payments (started_at);
    CREATE INDEX IF NOT EXISTS payments_call_record ON payments (started_at) WHERE call_record IS NOT NULL;
    CREATE INDEX IF NOT EXISTS payments_open ON payments (stage) WHERE stage NOT IN {_FINAL};
    CREATE INDEX IF NOT EXISTS payments_unknown ON payments (started_at) WHERE outcome = 'unknown';
    CREATE TABLE IF NOT EXISTS requests (
        agent TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL, answer BLOB NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (agent, key)
    );
"""
_UPDATE = "UPDATE payments SET stage = ?, view = ?, call_record = ? WHERE id = ?"
_VIEW = msgspec.json.Decoder(PaymentView)


class PaymentTable:
    """The file at `path`, mode 0600. For one thread."""

    def __init__(self, path: Path = IN_MEMORY, pseudonyms: Pseudonyms | None = None) -> None:
        """Raises OSError and sqlite3.Error."""
        self._path, self._hide = path, (pseudonyms or Pseudonyms()).hide
        if path != IN_MEMORY:
            path.parent.mkdir(parents=True, exist_ok=True)
            # SQLite gives its other files this mode.
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(_TABLES)
        self.notices = NoticeTable(self._database)
        self.follow_ups = FollowUpTable(self._database, self.transaction)
        self.links = LinkTable(self._database, self.transaction, self.find, self.put)
        self.texts = KeptTexts(self._database, self.transaction)
        if path != IN_MEMORY:
            directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            os.fsync(directory)
            os.close(directory)

    def close(self) -> None:
        self._database.close()

    # --- writing ----------------------------------------------------------------------------------

    def put(self, payment: PaymentView, *, is_recorded: bool = False) -> None:
        """Write a payment as it stands. `is_recorded`: its call's record, which waited here, is
        with the records now."""
        with contextlib.nullcontext() if self._database.in_transaction else self.transaction():
            self.notices.note(payment)
            self._put(payment, is_recorded=is_recorded)

    def _put(self, payment: PaymentView, *, is_recorded: bool) -> None:
        started_at = datetime.fromisoformat(payment.started_at).timestamp()
        outcome = outcome_type(payment.outcome) if payment.outcome else None
        self._database.execute(
            """
            INSERT INTO payments VALUES (?, ?, ?, ?, ?, ?, NULL) ON CONFLICT (id) DO UPDATE SET
            stage = excluded.stage, outcome = excluded.outcome, view = excluded.view,
            call_record = CASE WHEN ? THEN NULL ELSE call_record END
            """,
            (
                payment.id,
                payment.order.transaction_id,
                started_at,
                payment.stage.value,
                outcome,
                self._hide(msgspec.json.encode(msgspec.structs.replace(payment, follow_ups=()))),
                is_recorded,
            ),
        )

    def submit(
        self, payment: PaymentView, record: CallRecord, allowed: Collection[str]
    ) -> tuple[PaymentView, ...]:
        """Note that the card is about to be handed to a payer; nothing, where others charged the
        order but for `allowed`: those.

        `record`: the call's, to be completed where this process does not live to write it."""
        charged: tuple[PaymentView, ...] = ()
        with self.transaction():
            if payment.order.moves_money:
                charged = self._charged(payment.order.transaction_id, (*allowed, payment.id))
            if not charged:
                noted = self._database.execute(
                    f"{_UPDATE} AND stage NOT IN {_FINAL}",
                    (
                        payment.stage.value,
                        self._hide(msgspec.json.encode(payment)),
                        self._hide(msgspec.json.encode(record)),
                        payment.id,
                    ),
                )
                if noted.rowcount != 1:
                    raise sqlite3.IntegrityError("the payment to be submitted is not in the table, or over")
        return charged

    def submit_saved(
        self, payment: PaymentView, name: RequestName | None, now: float, to: Recipient | None = None
    ) -> tuple[PaymentView, ...]:
        """Note a payment whose saved card is about to be charged, or whose link is about to be
        opened, and what its request is answered; nothing, where others charged the order but for
        those that it repeats: those. `to`: for whom the link is."""
        with self.transaction():
            charged = self._charged(payment.order.transaction_id, (*payment.repeats, payment.id))
            if not charged:
                self.put(payment)
                if payment.link is not None:
                    self.links.begin(payment.id, to or Recipient())
                if name is not None:
                    self._remember(name, msgspec.json.encode(payment), now)
        return charged

    def keep_record(self, payment_id: str, record: CallRecord) -> None:
        """The call ends before its payment: its record waits for that."""
        query = "UPDATE payments SET call_record = ? WHERE id = ?"
        self._database.execute(query, (self._hide(msgspec.json.encode(record)), payment_id))

    def drop_records(self, payment_ids: Collection[str]) -> None:
        """The call is with the records now."""
        with self.transaction():
            self._database.executemany(
                "UPDATE payments SET call_record = NULL WHERE id = ?", [(each,) for each in payment_ids]
            )

    def begin_follow_up(
        self,
        payment_id: str,
        plan: Callable[[PaymentView | None], FollowUpView],
        name: RequestName | None,
        now: float,
        answer: Callable[[PaymentView], PaymentView],
    ) -> PaymentView:
        """See FollowUpTable.begin. Returns the answer."""

        def remember(payment: PaymentView) -> None:
            if name is not None:
                self._remember(name, msgspec.json.encode(answer(payment)), now)

        return answer(self.follow_ups.begin(payment_id, self.find, plan, remember))

    def settle_follow_up(
        self, key: str, outcome: FollowUpOutcome, at: str, by: str, who: str = ""
    ) -> PaymentView | None:
        """Write what became of one; its payment, where that has changed."""
        payment_id = self.follow_ups.settle(key, outcome, at, by, who)
        return None if payment_id is None else self.find(payment_id)

    def remember(self, name: RequestName, answer: bytes, now: float) -> None:
        """Keep what was answered to a request, where nothing is kept yet."""
        with contextlib.nullcontext() if self._database.in_transaction else self.transaction():
            self._remember(name, answer, now)

    def _remember(self, name: RequestName, answer: bytes, now: float) -> None:
        self._database.execute("DELETE FROM requests WHERE at < ?", (now - _KEY_LIFE,))
        row = (name.agent, name.key, name.digest, self._hide(answer), now)
        self._database.execute("INSERT OR IGNORE INTO requests VALUES (?, ?, ?, ?, ?)", row)
        self._database.execute(
            "DELETE FROM requests WHERE at <= (SELECT at FROM requests ORDER BY at DESC LIMIT 1 OFFSET ?)",
            (_MAX_KEYS,),
        )

    def try_to_write(self) -> None:
        """Write something and take it back, where an earlier write failed."""
        for query in (
            "INSERT OR REPLACE INTO requests VALUES ('', '', '', '', 0)",
            "DELETE FROM requests WHERE agent = ''",
        ):
            self._database.execute(query)

    def prune(self, before: float, now: float) -> int:
        """Delete the final payments that started before this time, and old answers; how many
        payments there were."""
        self._database.execute("DELETE FROM requests WHERE at < ?", (now - _KEY_LIFE,))
        query = f"DELETE FROM payments WHERE started_at < ? AND stage IN {_FINAL}"  # noqa: S608
        deleted = self._database.execute(query, (before,)).rowcount
        self.follow_ups.prune()
        self.links.prune()
        return deleted

    # --- reading ----------------------------------------------------------------------------------

    def is_full(self) -> str | None:
        """Why nothing more can be written, where that is seen in advance; for any thread."""
        try:
            if self._path != IN_MEMORY:
                check_space(self._path)
        except OSError as error:
            return error.strerror
        return None

    def find(self, payment_id: str) -> PaymentView | None:
        row = self._database.execute("SELECT view FROM payments WHERE id = ?", (payment_id,)).fetchone()
        return self.follow_ups.attach([_VIEW.decode(row[0])])[0] if row else None

    def waiting_record(self, payment_id: str) -> CallRecord | None:
        """The call's record, where it waits for the end of this payment."""
        row = self._database.execute(
            "SELECT call_record FROM payments WHERE id = ?", (payment_id,)
        ).fetchone()
        return decode_record(row[0]) if row and row[0] else None

    def left_records(self) -> list[tuple[PaymentView, CallRecord]]:
        """The records that wait though their payment is final: whoever was to write them died. The
        newest first."""
        query = f"""
            SELECT view, call_record FROM payments WHERE call_record IS NOT NULL AND stage IN {_FINAL}
            ORDER BY started_at DESC, rowid DESC
        """  # noqa: S608
        return [(_VIEW.decode(view), decode_record(record)) for view, record in self._database.execute(query)]

    def newest(
        self,
        transaction_id: str | None,
        most: int,
        outcome: str | None = None,
        keep: Keep | None = None,
    ) -> list[PaymentView]:
        """The newest first; with `keep`, those of the newest SCANNED of which it is true."""
        wanted = {"transaction_id": transaction_id, "outcome": outcome}
        given = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(["TRUE", *(f"{name} = ?" for name in given)])
        query = f"SELECT view FROM payments WHERE {where} ORDER BY started_at DESC, rowid DESC LIMIT ?"  # noqa: S608
        rows = self._database.execute(query, (*given.values(), most if keep is None else SCANNED))
        views = (_VIEW.decode(view) for (view,) in rows)
        return self.follow_ups.attach(list(islice(filter(keep, views), most)))

    def since(self, since: float, after: str | None, most: int) -> list[PaymentView]:
        """Those that were started since then, or about which something was done, or whose link
        ended; the oldest first, behind the payment `after`."""
        query = """
            SELECT view FROM payments
            WHERE (started_at >= ? OR id IN (SELECT payment FROM follow_ups WHERE at >= ?)
                OR id IN (SELECT payment FROM links WHERE ended_at >= ?))
            AND (? IS NULL OR (started_at, rowid) > (SELECT started_at, rowid FROM payments WHERE id = ?))
            ORDER BY started_at, rowid LIMIT ?
        """
        rows = self._database.execute(query, (since, since, since, after, after, most))
        return self.follow_ups.attach([_VIEW.decode(view) for (view,) in rows])

    def charged(self, transaction_id: str) -> tuple[PaymentView, ...]:
        """The payments by which this order was charged, or may have been, or is being charged; the
        newest first."""
        return self._charged(transaction_id, ())

    def open(self) -> list[PaymentView]:
        """Those that are not final, the oldest first."""
        found = []
        rows = self._database.execute(
            f"SELECT id, view FROM payments WHERE stage NOT IN {_FINAL} ORDER BY started_at"  # noqa: S608
        )
        for payment_id, view in rows:
            try:
                found.append(_VIEW.decode(view))
            except msgspec.DecodeError:
                log.error("payment_unreadable", payment=payment_id)
        return found

    def unknown(self, since: float) -> list[PaymentView]:
        """Those that were started since then, and of which nobody knows whether they were
        charged."""
        query = "SELECT view FROM payments WHERE outcome = 'unknown' AND started_at >= ? ORDER BY started_at"
        return [_VIEW.decode(view) for (view,) in self._database.execute(query, (since,))]

    def recall(self, name: RequestName, now: float) -> bytes | None:
        """What was answered to the request of that name. Raises KeyReused where it was another."""
        row = self._database.execute(
            "SELECT digest, answer FROM requests WHERE agent = ? AND key = ? AND at >= ?",
            (name.agent, name.key, now - _KEY_LIFE),
        ).fetchone()
        if row is None:
            return None
        if row[0] != name.digest:
            raise KeyReused
        return bytes(row[1])

    # --- inside -----------------------------------------------------------------------------------

    def _charged(self, transaction_id: str, but: Collection[str]) -> tuple[PaymentView, ...]:
        rows = self._database.execute(
            f"SELECT id, view FROM payments WHERE transaction_id = ? AND {_CHARGED} ORDER BY started_at DESC",  # noqa: S608
            (transaction_id,),
        )
        views = (_VIEW.decode(view) for payment_id, view in rows if payment_id not in but)
        found = [view for view in views if view.order.moves_money][:_MAX_SHOWN]
        return tuple(self.follow_ups.attach(found))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written meanwhile is on disk as a whole, or not at all."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:  # on a full disk SQLite may have ended it
                self._database.execute("ROLLBACK")
            raise
