"""Fixtures of what keeps call records: an empty database of either kind."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from b2bua.records.store import connect, prepare


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server of our own, Debian's, on a unix socket; its directory belongs to an
    account that is not root."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        if os.environ.get("TONEWALL_REQUIRE_ALL"):
            pytest.fail("PostgreSQL is missing; `make test` installs it")
        pytest.skip("no PostgreSQL")
    # Short: the path of a unix socket is.
    home = Path("/tmp") / f"tonewall-pg-{secrets.token_hex(4)}"
    home.mkdir(mode=0o700)
    account = "postgres" if os.geteuid() == 0 else None
    if account:
        shutil.chown(home, account)

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, user=account, cwd=home)

    run(f"{found[-1]}/initdb", "-D", f"{home}/data", "-A", "trust", "-U", "cdr", "--no-sync")
    options = f"-k {home} -c listen_addresses='' -c fsync=off"
    run(f"{found[-1]}/pg_ctl", "-D", f"{home}/data", "-w", "-l", f"{home}/log", "-o", options, "start")
    try:
        yield f"postgresql+psycopg://cdr@/postgres?host={home}"
    finally:
        run(f"{found[-1]}/pg_ctl", "-D", f"{home}/data", "-m", "immediate", "stop")
        shutil.rmtree(home)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'cdr.sqlite'}"
        return
    server: str = request.getfixturevalue("postgresql")
    name = f"cdr_{secrets.token_hex(4)}"
    admin = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    admin.dispose()
    yield server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def engine(url: str) -> Iterator[sqlalchemy.Engine]:
    made = connect(url)
    prepare(made)
    yield made
    made.dispose()
