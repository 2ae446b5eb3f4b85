"""Checks the database of call records."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

from b2bua.config.settings import Settings
from b2bua.doctor.files import why_not_creatable, why_not_writable
from b2bua.doctor.finding import Finding, fault, good
from b2bua.records.store import StoreError, connect
from b2bua.records.table import CALLS, METADATA, SCHEMA, VERSION


def check_database(settings: Settings) -> Finding:
    """The database of call records must take rows: one is written, and rolled back."""
    what = "records' database"
    try:
        engine = connect(settings.signalling.cdr.url.get_secret_value())
    except StoreError as error:
        return fault(what, f"[cdr] url: {error}")
    try:
        if engine.dialect.name == "sqlite":
            return _check_sqlite(what, engine)
        with engine.connect() as connection, connection.begin() as transaction:
            METADATA.create_all(connection)
            found = connection.execute(sqlalchemy.select(VERSION.c.version)).scalars().all()
            if newer := _check_version(what, found):
                return newer
            connection.execute(CALLS.delete().where(CALLS.c.call == ""))
            transaction.rollback()
    # Drivers raise more than SQLAlchemyError, and their texts may quote the URL.
    except Exception as error:
        kind = type(getattr(error, "orig", None) or error).__name__
        text = (
            "records would wait on the spool. Is it running, are user, password and rights as they should be?"
        )
        return fault(what, f"[cdr] url: the database cannot be used ({kind}); {text}")
    finally:
        engine.dispose()
    return good(what, f"{engine.dialect.name} takes records")


def _check_version(what: str, found: Sequence[int]) -> Finding | None:
    if max(found, default=SCHEMA) <= SCHEMA:
        return None
    return fault(what, f"[cdr] url: its tables are of version {max(found)}, this Tonewall writes {SCHEMA}")


def _check_sqlite(what: str, engine: sqlalchemy.Engine) -> Finding:
    path = Path(engine.url.database or "")
    if not os.path.exists(path):
        if why := why_not_creatable(path):
            return fault(what, f"[cdr] url: {path} cannot be made: {why}")
        return good(what, f"{path} is made at the start")
    # SQLite's own journal stands beside it.
    if why := why_not_writable(path) or why_not_writable(path.parent):
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
    return _check_version(what, found) or good(what, f"{path} takes records")
