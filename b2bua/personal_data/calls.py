"""Finds and blanks a person's numbers in the database of call records, and in records that no
database took."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy

from b2bua.personal_data.wanted import ERASED, Wanted
from b2bua.records.export import utc_row
from b2bua.records.table import CALLS

_SIDES: Final = (CALLS.c.caller, CALLS.c.callee)
_TRIES: Final = 20  # to empty SQLite's log while somebody reads


def find_calls(engine: sqlalchemy.Engine, wanted: Wanted) -> list[dict[str, Any]]:
    """The rows of the person's calls, the oldest first. Raises SQLAlchemyError."""
    with engine.connect() as connection:
        return [utc_row(found) for found in _rows(connection, wanted)]


def erase_calls(engine: sqlalchemy.Engine, wanted: Wanted) -> int:
    """Blank the numbers; in how many rows. Raises SQLAlchemyError."""
    changed = 0
    with engine.begin() as connection:
        for found in list(_rows(connection, wanted)):
            blank = {side.name: ERASED for side in _SIDES if wanted.is_it(found[side.name])}
            connection.execute(CALLS.update().where(CALLS.c.call == found["call"]).values(**blank))
            changed += 1
    return changed


def overwrite_erased(engine: sqlalchemy.Engine) -> bool:
    """Rewrite the database without what was erased. False: SQLite's log still holds some of it,
    since somebody reads. Raises SQLAlchemyError."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name != "sqlite":
            connection.execute(sqlalchemy.text("VACUUM calls"))
            return True
        connection.execute(sqlalchemy.text("VACUUM"))
        return any(
            connection.execute(sqlalchemy.text("PRAGMA wal_checkpoint(TRUNCATE)")).scalar_one() == 0
            for _ in range(_TRIES)
        )


def _rows(connection: sqlalchemy.Connection, wanted: Wanted) -> Iterator[Mapping[str, Any]]:
    fits = [side.like(tail) for side in _SIDES for tail in wanted.tails]
    query = sqlalchemy.select(CALLS).where(sqlalchemy.or_(*fits)).order_by(CALLS.c.started_at)
    for found in connection.execute(query).mappings():
        if any(wanted.is_it(found[side.name]) for side in _SIDES):
            yield dict(found)


def erase_set_aside(path: Path, wanted: Wanted, *, dry_run: bool) -> int:
    """Blank the numbers in the records that no database took, a line each; in how many lines. A
    line that is no JSON and may have one of them is deleted. Raises OSError."""
    if not path.is_file():
        return 0
    changed, lines = 0, []
    for line in path.read_bytes().splitlines():
        try:
            blank = wanted.blank_encoded(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            text = line.decode("utf-8", "replace")
            blank = b"" if wanted.blank({"caller": text}) != {"caller": text} else None
        changed += blank is not None
        lines.append(line if blank is None else blank)
    if changed and not dry_run:
        _replace(path, b"".join(line + b"\n" for line in lines if line))
    return changed


def _replace(path: Path, content: bytes) -> None:
    """Write over what was there, so that its octets are gone from the file; then shorten it."""
    with path.open("r+b") as file:
        file.write(content)
        size = max(0, os.fstat(file.fileno()).st_size - len(content))
        file.write(bytes(size))
        file.flush()
        os.fsync(file.fileno())
        file.truncate(len(content))
