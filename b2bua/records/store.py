"""Keeping call detail records: first in a spool file, then in the database, and not for ever.

Rule 1: a record is on the spool before `put` returns, so a crash, a full queue or a database that
        is down loses none. Where the spool cannot be written, the newest records are held in memory
        until it or the database takes them.
Rule 2: the database is written by one thread, in batches; the event loop never waits for it. No
        exception ends it.
Rule 3: a record that is written twice (a crash between commit and truncation) is one row: the
        call's id is the key.
Rule 4: a record that the database refuses holds up no other: its texts are written in ASCII, or it
        is set aside in `SPOOL.refused`.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import sqlalchemy
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DataError, IntegrityError, NoSuchModuleError

from b2bua.call.cdr import CallRecord
from b2bua.call.pseudonyms import Pseudonyms
from b2bua.records.decoding import decode_record
from b2bua.records.spool import Spool
from b2bua.records.table import CALLS, METADATA, SCHEMA, UPGRADES, VERSION, plain, row
from tonewall.disk import keep_from_everybody
from tonewall.log import get_logger

log = get_logger(__name__)
_BATCH = 500
# Seconds to let records gather before a batch: a small one costs three times as much a record.
_GATHER = 2.0
_RETRY = (1.0, 30.0)  # seconds between attempts while the database does not answer: first, longest
_PRUNE_EVERY = 3600.0  # seconds
_DAY = 86_400.0
# Of one record, where the database itself is well.
_REFUSALS = (DataError, IntegrityError, UnicodeError)
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class RecordsFault(NamedTuple):
    """What is wrong with the records. `losing`: some may be lost, not only late."""

    says: str
    losing: bool


class StoreError(Exception):
    """The database cannot be used as configured; the text says what to do and holds no part of the
    URL's credentials."""


def connect(url: str) -> sqlalchemy.Engine:
    """An engine for the URL. Raises StoreError where it is none, or its driver is not installed."""
    try:
        parsed = sqlalchemy.make_url(url)
        if parsed.get_backend_name() not in _INSERT:
            raise StoreError("expected sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE")
        # A server in SQL_ASCII gives psycopg octets instead of text, unless the client names an
        # encoding.
        encoding = {} if parsed.get_backend_name() == "sqlite" else {"client_encoding": "utf8"}
        engine = sqlalchemy.create_engine(parsed, pool_pre_ping=True, connect_args=encoding)
    except ModuleNotFoundError as error:
        raise StoreError(f"the driver {error.name} is missing; install tonewall[postgresql]") from None
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise StoreError(
            "expected sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
        ) from None
    if engine.dialect.name == "sqlite":
        sqlalchemy.event.listen(engine, "do_connect", lambda *_: _make_private(engine))
        sqlalchemy.event.listen(engine, "connect", _tune_sqlite)
    return engine


def _make_private(engine: sqlalchemy.Engine) -> None:
    """SQLite's file, where it is missing: its owner's alone, as are those that SQLite makes beside
    it, which take its mode.

    One that is there is not opened: closing it would drop the locks that this process has on it
    (sqlite.org, "How To Corrupt" 2.2), and another process could write into a transaction of ours.
    """
    file = engine.url.database or ":memory:"
    if (
        not file.startswith((":memory:", "file:")) and Path(file).parent.is_dir()
    ):  # else SQLite says what is wrong
        with contextlib.suppress(FileExistsError):
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _keep_private(engine: sqlalchemy.Engine) -> None:
    """One that is there already loses the rights of everybody, and keeps those of its group. Raises
    OSError."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        path = Path(engine.url.database)
        for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            keep_from_everybody(each)


def prepare(engine: sqlalchemy.Engine) -> None:
    """Make the tables where they are missing, and bring older ones up to date. Raises StoreError
    for newer ones, SQLAlchemyError, OSError."""
    _keep_private(engine)
    METADATA.create_all(engine)
    with engine.begin() as connection:
        found = connection.execute(sqlalchemy.select(VERSION.c.version)).scalars().all()
        at = max(found, default=SCHEMA)
        for version in range(at, SCHEMA):
            for statement in UPGRADES[version]:
                connection.execute(sqlalchemy.text(statement))
        if at < SCHEMA or not found:
            connection.execute(VERSION.insert().values(version=SCHEMA))
        elif at > SCHEMA:
            raise StoreError(
                f"the database has tables of version {max(found)}, this Tonewall writes {SCHEMA}: give "
                "another database"
            )


def prune(engine: sqlalchemy.Engine, before: float) -> int:
    """Delete the calls that ended before this time (seconds since the epoch); how many there
    were."""
    with engine.begin() as connection:
        done = connection.execute(
            CALLS.delete().where(CALLS.c.ended_at < datetime.fromtimestamp(before, UTC))
        )
        return int(done.rowcount)


def insert(
    engine: sqlalchemy.Engine,
    records: Sequence[CallRecord],
    values: Callable[[CallRecord], dict[str, Any]] = row,
) -> None:
    """Add rows; those whose call is there already are left as they are."""
    statement = _INSERT[engine.dialect.name](CALLS).on_conflict_do_nothing(index_elements=[CALLS.c.call])
    with engine.begin() as connection:
        connection.execute(statement, [values(record) for record in records])


def _tune_sqlite(connection: Any, _record: object) -> None:
    """Readers beside the writer, and no fsync a call: the spool still has what a power cut takes.
    What is deleted is overwritten."""
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


class RecordStore:
    """The spool and the thread that empties it. `retention`: days that a record is kept, 0 for
    ever."""

    def __init__(
        self, engine: sqlalchemy.Engine, spool: Path, retention: float, pseudonyms: Pseudonyms | None = None
    ) -> None:
        """Raises OSError where the spool cannot be opened."""
        self._pseudonyms = pseudonyms or Pseudonyms()
        self.engine, self._retention = engine, retention
        self._spool = Spool(spool)
        self.refused = self._spool.refused
        self._more, self._stop = threading.Event(), threading.Event()
        # The exception's type, while the database takes no records.
        self._refused_by: str | None = None
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)

    def start(self) -> None:
        """Begin to write; what an earlier run left on the spool comes first."""
        self._more.set()
        self._thread.start()

    def put(self, record: CallRecord) -> None:
        """Keep a record. Does not wait for the database."""
        self._spool.append(self._pseudonyms.hide(msgspec.json.encode(record)))
        self._more.set()

    def fault(self) -> RecordsFault | None:
        """What is wrong now, in words for an engineer; None where every record is kept."""
        error = self._spool.fault()
        if error is not None:
            lost = f"; {self._spool.lost} are lost" if self._spool.lost else ""
            return RecordsFault(
                f"Call records cannot be written to disk: {error.strerror} ([cdr] spool){lost}.", True
            )
        if self._thread.ident is not None and not self._thread.is_alive() and not self._stop.is_set():
            return RecordsFault("The thread that writes call records has ended; restart Tonewall.", True)
        if self._refused_by is not None:
            why = (
                f"The database takes no call records ({self._refused_by}); they wait on the spool. See "
                "[cdr] url."
            )
            return RecordsFault(why, False)
        return None

    def are_waiting(self) -> bool:
        """Whether records wait for the database."""
        return self._spool.is_waiting()

    def close(self, patience: float = 5.0) -> None:
        """Write what is left, for so many seconds at most; the rest stays on the spool for the next
        start."""
        self._stop.set()
        self._more.set()
        if self._thread.ident is not None:
            self._thread.join(patience)
        if not self._thread.is_alive():
            self._spool.close()
            self.engine.dispose()

    # --- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        pause, prepared, pruned = _RETRY[0], False, -_PRUNE_EVERY
        while True:
            try:
                if not prepared:
                    prepare(self.engine)
                    prepared = True
                while self._write_some():
                    pause = _RETRY[0]
                if self._retention and time.monotonic() - pruned >= _PRUNE_EVERY:
                    pruned = time.monotonic()
                    log.info(
                        "old_call_records_deleted",
                        count=prune(self.engine, time.time() - self._retention * _DAY),
                    )
                self._refused_by = None
            except Exception as error:  # drivers raise more than SQLAlchemyError: rule 2
                prepared = False  # it may be another database by now
                self._refused_by = type(getattr(error, "orig", None) or error).__name__
                log.error(
                    "call_records_database_failed",
                    hint="records wait on the spool",
                    seconds=pause,
                    what=self._refused_by,
                )
                if self._stop.wait(pause):
                    return
                pause = min(2 * pause, _RETRY[1])
                continue
            if self._stop.is_set():
                return
            self._more.wait(_PRUNE_EVERY)
            self._more.clear()
            self._stop.wait(_GATHER)

    def _write_some(self) -> bool:
        """One batch into the database; False where there was nothing left."""
        batch = self._spool.batch(_BATCH)
        if not batch.lines:
            return False
        records = []
        for line in batch.lines:
            try:
                records.append(decode_record(line))
            except msgspec.DecodeError:  # of another version, or damaged
                log.error("spool_line_invalid", why="it is no call record; it is set aside", count=len(line))
                self._spool.set_aside(line)
        if records:
            try:
                insert(self.engine, records)
            except _REFUSALS:
                self._insert_each(records)
        self._spool.done(batch)
        return True

    def _insert_each(self, records: Sequence[CallRecord]) -> None:
        """The records one by one, so that one that is refused holds up no other."""
        for record in records:
            try:
                insert(self.engine, [record])
            except _REFUSALS:
                self._insert_plain(record)

    def _insert_plain(self, record: CallRecord) -> None:
        try:
            insert(self.engine, [record], plain)
            log.warning(
                "call_record_written_in_ascii",
                why="the database refused its texts",
                call=record.call,
            )
        except _REFUSALS as error:
            log.error(
                "call_record_refused",
                why="the database refuses it; it is set aside",
                call=record.call,
                exc_info=error,
            )
            self._spool.set_aside(msgspec.json.encode(record))
