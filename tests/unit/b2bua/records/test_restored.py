"""Call records in PostgreSQL are there again after pg_dump and pg_restore, as docs/backup.md has
it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import sqlalchemy

from b2bua.call.cdr import CallRecord
from b2bua.records.export import rows
from b2bua.records.store import connect, insert, prepare


def tool(name: str) -> str:
    return str(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))[-1])


def of_libpq(url: str) -> str:
    """The URL as PostgreSQL's own commands take it."""
    return url.replace("postgresql+psycopg:", "postgresql:")


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_records_are_there_again_after_a_dump_and_a_restore(
    engine: sqlalchemy.Engine, url: str, tmp_path: Path
) -> None:
    call = CallRecord(
        call="c-1", direction="inbound", caller="+442079460000", callee="100", started_at=1_800_000_000.0,
        answered_at=1_800_000_004.0, ended_at=1_800_000_064.5, end="far end hung up", code=200,
    )  # fmt: skip
    insert(engine, [call])
    before = list(rows(engine))
    assert len(before) == 1
    dump = tmp_path / "records.dump"
    subprocess.run([tool("pg_dump"), "--format=custom", f"--file={dump}", of_libpq(url)], check=True)
    with engine.begin() as connection:
        for table in sqlalchemy.inspect(engine).get_table_names():
            connection.execute(sqlalchemy.text(f'DROP TABLE "{table}"'))
    command = [tool("pg_restore"), "--exit-on-error", f"--dbname={of_libpq(url)}", str(dump)]
    subprocess.run(command, check=True)
    restored = connect(url)
    try:
        prepare(restored)
        assert list(rows(restored)) == before
    finally:
        restored.dispose()
