"""Files and databases that are written: whether they can be, before it matters.

Rule 1: nothing is left behind: what is made to try something is taken back.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import sqlite3
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

from b2bua.config.settings import Settings
from b2bua.doctor.finding import Finding, Level, fault, good, warn
from b2bua.records.store import StoreError, connect
from b2bua.records.table import CALLS, METADATA, SCHEMA, VERSION
from tonewall.disk import check_space


def directory(settings: Settings) -> Finding:
    """The directory of sockets: ours alone."""
    path, what = settings.signalling.general.directory, "directory"
    if not os.path.exists(path):  # which is False, not an error, where we may not look
        if why := _none_made_below(path) or _open_to_others(path):
            return fault(what, f"[general] directory: {path} is missing and cannot be made: {why}")
        return good(what, f"{path} is made at the start")
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        return fault(what, f"[general] directory: {path} is no directory")
    if found.st_uid != os.geteuid():
        return fault(
            what,
            f"[general] directory: {path} belongs to {_user(found.st_uid)}, and we are {_user()}: chown it",
        )
    if why := _open_to_others(path):
        return fault(what, f"[general] directory: {why}")
    if why := _not_writable(path):
        return fault(what, f"[general] directory: {why}")
    if found.st_mode & 0o077:
        return warn(what, f"{path} is open to others: chmod 700 {path}")
    return good(what, f"{path} is private")


def journal(settings: Settings) -> Finding:
    """The payers' journal."""
    return _appended("journal", "[provider] journal", settings.provider.journal)


def spool(settings: Settings) -> Finding:
    """The call records' spool."""
    return _appended("records' spool", "[cdr] spool", settings.signalling.cdr.spool)


def payments(settings: Settings) -> Finding:
    """The table of payments."""
    what, key, path = "table of payments", "[cdr] payments", settings.signalling.cdr.payments_file
    found = _appended(what, key, path)
    if found.level is not Level.GOOD or not os.path.exists(path):
        return found
    if why := _not_writable(path.parent):  # SQLite's own journal stands beside it
        return fault(what, f"{key}: {path}: {why}")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
    except sqlite3.Error as error:
        return fault(what, f"{key}: {path} is no database that can be written ({error})")
    return found


def refusals(settings: Settings) -> Iterator[str]:
    """What of these would fail at the start."""
    for found in (directory(settings), journal(settings), spool(settings), payments(settings)):
        if found.level.name == "FAULT":
            yield found.says


def database(settings: Settings) -> Finding:
    """The call records' database: a row is written, and taken back."""
    what = "records' database"
    try:
        engine = connect(settings.signalling.cdr.url.get_secret_value())
    except StoreError as error:
        return fault(what, f"[cdr] url: {error}")
    try:
        if engine.dialect.name == "sqlite":
            return _sqlite(what, engine)
        with engine.connect() as connection, connection.begin() as transaction:
            METADATA.create_all(connection)
            found = connection.execute(sqlalchemy.select(VERSION.c.version)).scalars().all()
            if newer := _newer(what, found):
                return newer
            connection.execute(CALLS.delete().where(CALLS.c.call == ""))
            transaction.rollback()
    # Drivers raise more than SQLAlchemyError, and what they say may quote the URL.
    except Exception as error:
        kind = type(getattr(error, "orig", None) or error).__name__
        says = (
            "records would wait on the spool. Is it running, are user, password and rights as they should be?"
        )
        return fault(what, f"[cdr] url: the database cannot be used ({kind}); {says}")
    finally:
        engine.dispose()
    return good(what, f"{engine.dialect.name} takes records")


def _newer(what: str, found: Sequence[int]) -> Finding | None:
    if max(found, default=SCHEMA) <= SCHEMA:
        return None
    return fault(what, f"[cdr] url: its tables are of version {max(found)}, this Tonewall writes {SCHEMA}")


def _sqlite(what: str, engine: sqlalchemy.Engine) -> Finding:
    path = Path(engine.url.database or "")
    if not os.path.exists(path):
        if why := _none_made_below(path):
            return fault(what, f"[cdr] url: {path} cannot be made: {why}")
        return good(what, f"{path} is made at the start")
    # SQLite's own journal stands beside it.
    if why := _not_writable(path) or _not_writable(path.parent):
        return fault(what, f"[cdr] url: {why}")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            tables = sqlalchemy.inspect(connection).has_table(VERSION.name)
            found = connection.execute(sqlalchemy.select(VERSION.c.version)).scalars().all() if tables else []
            connection.exec_driver_sql("ROLLBACK")
    except SQLAlchemyError as error:
        kind = type(getattr(error, "orig", None) or error).__name__
        return fault(what, f"[cdr] url: {path} is no database that can be written ({kind})")
    return _newer(what, found) or good(what, f"{path} takes records")


def _appended(what: str, key: str, path: Path) -> Finding:
    if os.path.isdir(path):
        return fault(what, f"{key}: {path} is a directory; a file is expected")
    there = os.path.exists(path)
    if why := _not_writable(path) if there else _none_made_below(path):
        return fault(what, f"{key}: {path} cannot be written: {why}")
    try:
        check_space(path if there else _nearest(path))
    except OSError as error:
        return fault(what, f"{key}: {path}: {error.strerror}")
    return good(what, f"{path} can be written")


def _nearest(path: Path) -> Path:
    """The path itself, or the nearest above it that we see."""
    path = path.absolute()
    while not os.path.exists(path):
        path = path.parent
    return path


def _open_to_others(path: Path) -> str | None:
    """Why somebody else could put a socket of theirs in the place of ours: the directory itself, or
    one above it, is theirs to change."""
    path = path.resolve()
    for each in (path, *path.parents):
        if not os.path.exists(each):
            continue
        found = each.stat()
        if found.st_uid not in (0, os.geteuid()):
            return (
                f"{path}: {each} belongs to {_user(found.st_uid)}, who could replace what is in it; choose "
                "another place"
            )
        writable = found.st_mode & 0o022
        if writable and (each == path or not found.st_mode & stat.S_ISVTX):
            return f"{path}: others may write to {each}: chmod go-w {each}"
    return None


def _none_made_below(path: Path) -> str | None:
    nearest = _nearest(path)
    return _not_writable(nearest) if nearest.is_dir() else f"{nearest} is no directory"


def _not_writable(path: Path) -> str | None:
    """Why not, tried: root's rights, read-only mounts and ACLs count as the kernel counts them."""
    try:
        if path.is_dir():
            with tempfile.NamedTemporaryFile(dir=path, prefix=".tonewall-doctor-"):
                return None
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))
    except OSError as error:
        return f"{path} ({error.strerror}); it belongs to {_user(path.stat().st_uid)}, and we are {_user()}"
    return None


def _user(number: int | None = None) -> str:
    number = os.geteuid() if number is None else number
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
