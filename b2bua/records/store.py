"""Keeping call detail records: first in a spool file, then in the database, and not for ever.

Rule 1: a record is on the spool before `put` returns, so a crash, a full queue or a database that is down loses none.
Rule 2: the database is written by one thread, in batches; the event loop never waits for it.
Rule 3: a record that is written twice (a crash between commit and truncation) is one row: the call's id is the key.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from b2bua.call.cdr import CallRecord
from b2bua.records.table import CALLS, METADATA, SCHEMA, UPGRADES, VERSION, row
from tonewall.log import get_logger

log = get_logger(__name__)
_BATCH = 500
_GATHER = 2.0  # seconds to let records gather before a batch: a small one costs three times as much a record
_RETRY = (1.0, 30.0)  # seconds between attempts while the database does not answer: first, longest
_PRUNE_EVERY = 3600.0  # seconds
_DAY = 86_400.0
_READ = 1 << 20  # bytes of the spool looked at for a batch; more than any record has
_DECODER = msgspec.json.Decoder(CallRecord)
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class StoreError(Exception):
    """The database cannot be used as configured; the text says what to do and holds no part of the URL's credentials."""


def connect(url: str) -> sqlalchemy.Engine:
    """An engine for the URL. Raises StoreError where it is none, or its driver is not installed."""
    try:
        parsed = sqlalchemy.make_url(url)
        if parsed.get_backend_name() not in _INSERT:
            raise StoreError("expected sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE")
        engine = sqlalchemy.create_engine(parsed, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise StoreError(f"the driver {error.name} is missing; install tonewall[postgresql]") from None
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise StoreError("expected sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE") from None
    if engine.dialect.name == "sqlite":
        sqlalchemy.event.listen(engine, "connect", _tune_sqlite)
    return engine


def prepare(engine: sqlalchemy.Engine) -> None:
    """Make the tables where they are missing, and bring older ones up to date. Raises StoreError for newer ones,
    SQLAlchemyError."""
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
                f"the database has tables of version {max(found)}, this Tonewall writes {SCHEMA}: give another database"
            )


def prune(engine: sqlalchemy.Engine, before: float) -> int:
    """Delete the calls that ended before this time (seconds since the epoch); how many there were."""
    with engine.begin() as connection:
        done = connection.execute(CALLS.delete().where(CALLS.c.ended_at < datetime.fromtimestamp(before, UTC)))
        return int(done.rowcount)


def insert(engine: sqlalchemy.Engine, records: Sequence[CallRecord]) -> None:
    """Add rows; those whose call is there already are left as they are."""
    statement = _INSERT[engine.dialect.name](CALLS).on_conflict_do_nothing(index_elements=[CALLS.c.call])
    with engine.begin() as connection:
        connection.execute(statement, [row(record) for record in records])


def _tune_sqlite(connection: Any, _record: object) -> None:
    """Readers beside the writer, and no fsync a call: the spool still has what a power cut takes."""
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")


class RecordStore:
    """The spool and the thread that empties it. `retention`: days that a record is kept, 0 for ever."""

    def __init__(self, engine: sqlalchemy.Engine, spool: Path, retention: float) -> None:
        """Raises OSError where the spool cannot be opened."""
        spool.parent.mkdir(parents=True, exist_ok=True)
        self._engine, self._retention = engine, retention
        self._spool = os.open(spool, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()  # the spool's end: held to append, and to look whether all of it is done
        self._done = 0  # bytes of the spool that are in the database
        self._more, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)

    def start(self) -> None:
        """Begin to write; what an earlier run left on the spool comes first."""
        self._more.set()
        self._thread.start()

    def put(self, record: CallRecord) -> None:
        """Keep a record. Does not wait for the database."""
        try:
            with self._lock:
                os.write(self._spool, msgspec.json.encode(record) + b"\n")
        except OSError as error:
            log.error("a call record could not be written", call=record.call, exc_info=error)
        self._more.set()

    def close(self, patience: float = 5.0) -> None:
        """Write what is left, for so many seconds at most; the rest stays on the spool for the next start."""
        self._stop.set()
        self._more.set()
        if self._thread.ident is not None:
            self._thread.join(patience)
        if not self._thread.is_alive():
            os.close(self._spool)
            self._engine.dispose()

    # --- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause, prepared, pruned = _RETRY[0], False, -_PRUNE_EVERY
        while True:
            try:
                if not prepared:
                    prepare(self._engine)
                    prepared = True
                while self._write_some():
                    pause = _RETRY[0]
                if self._retention and time.monotonic() - pruned >= _PRUNE_EVERY:
                    pruned = time.monotonic()
                    log.info(
                        "old call records deleted", count=prune(self._engine, time.time() - self._retention * _DAY)
                    )
            except (SQLAlchemyError, StoreError) as error:
                log.error(
                    "the call records' database does not take them; they wait on the spool",
                    seconds=pause,
                    what=type(getattr(error, "orig", None) or error).__name__,
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
        """One batch into the database; False where there was nothing left, and then the spool is empty."""
        lines, size = self._next_lines()
        if not size:
            with self._lock:
                if self._done and self._done == os.fstat(self._spool).st_size:
                    os.ftruncate(self._spool, 0)
                    self._done = 0
            return False
        records = []
        for line in lines:
            try:
                records.append(_DECODER.decode(line))
            except msgspec.DecodeError:  # cut short by a crash or a full disk, or of another version
                log.error("a line of the spool is no call record; it is left out", count=len(line))
        if records:
            insert(self._engine, records)
        self._done += size
        return True

    def _next_lines(self) -> tuple[list[bytes], int]:
        """Whole lines after `_done`, a batch at most, and how many bytes they are."""
        data = os.pread(self._spool, _READ, self._done)
        lines = data.split(b"\n")[:-1][:_BATCH]
        return lines, sum(len(line) + 1 for line in lines)
