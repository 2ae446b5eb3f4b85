"""Keys of programs: shown once, kept as hashes, ended, revoked and replaced while others read."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from b2bua.access.key_authenticator import KeyAuthenticator
from b2bua.access.keys import DAY, BadKey, KeyStore
from b2bua.access.principal import Principal
from b2bua.access.roles import Role, Scope
from b2bua.audit.signing_key import make_key
from b2bua.audit.verify import log_files

PROGRAM = frozenset({Role.INTEGRATION})
READ = frozenset({Scope.CALLS_READ})


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[KeyStore]:
    with contextlib.closing(KeyStore(tmp_path / "access", clock)) as opened:
        yield opened


def presented(text: str) -> dict[str, Any]:
    return {"headers": [(b"authorization", f"Bearer {text}".encode("latin-1"))]}


def test_a_key_is_known_by_its_text_until_it_ends(store: KeyStore, clock: Clock) -> None:
    text, key = store.create("crm", PROGRAM, READ, 90, "ann")
    assert text.startswith(f"tw_{key.id}_")
    found = store.verify(text)
    assert found is not None
    assert (found.name, found.roles, found.scopes, found.created_by) == ("crm", PROGRAM, READ, "ann")
    assert found.principal() == Principal(
        "crm", PROGRAM, READ, "key", f"key:{key.id}", expires_at=clock.now + 90 * DAY
    )
    clock.now += 90 * DAY - 1
    assert store.verify(text) is not None
    clock.now += 1
    assert store.verify(text) is None


def test_no_text_but_the_whole_one_is_the_key(store: KeyStore) -> None:
    text, _ = store.create("crm", PROGRAM, READ, 90, "ann")
    other, _ = store.create("crm2", PROGRAM, READ, 90, "ann")
    mixed = text[:16] + other[16:]
    for wrong in (
        text[:-1],
        text + "A",
        text.upper(),
        mixed,
        text[:-1] + "é",
        "",
        "tw_",
        text.replace("_", "-"),
    ):
        assert store.verify(wrong) is None


def test_nothing_that_is_kept_opens_anything(store: KeyStore, tmp_path: Path) -> None:
    text, key = store.create("crm", PROGRAM, READ, 90, "ann")
    secret = text.rpartition(key.id)[2][1:]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "access").iterdir())
    assert secret.encode() not in kept
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "access").iterdir()} <= {0o600}
    # The database beside another pepper, as from a stolen copy, knows no key.
    (tmp_path / "access" / "access.key").write_bytes(bytes(32))
    with contextlib.closing(KeyStore(tmp_path / "access")) as stolen:
        assert stolen.verify(text) is None


@pytest.mark.parametrize(
    ("name", "roles", "scopes", "days", "says"),
    [
        ("crm", PROGRAM, READ, 366, "--expires"),
        ("crm", PROGRAM, READ, 0, "--expires"),
        ("crm", PROGRAM, frozenset(), 90, "--scope"),
        ("crm", frozenset({Role.METRICS}), READ, 90, "--scope"),
        ("c\nrm", PROGRAM, READ, 90, "--name"),
        ("", PROGRAM, READ, 90, "--name"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(
    store: KeyStore, name: str, roles: frozenset[Role], scopes: frozenset[Scope], days: float, says: str
) -> None:
    with pytest.raises(BadKey, match=says):
        store.create(name, roles, scopes, days, "ann")
    assert store.all() == []


def test_a_replaced_key_ends_a_while_later(store: KeyStore, clock: Clock) -> None:
    text, key = store.create("crm", PROGRAM, READ, 90, "ann")
    store.revoke(key.id, clock.now + 60)
    assert store.verify(text) is not None
    clock.now += 60
    assert store.verify(text) is None
    store.revoke(key.id, clock.now + 600)  # the earliest counts
    assert store.verify(text) is None


def test_a_name_of_several_valid_keys_wants_an_id(store: KeyStore) -> None:
    _, one = store.create("crm", PROGRAM, READ, 90, "ann")
    assert store.find("crm").id == one.id
    _, two = store.create("crm", PROGRAM, READ, 90, "ann")
    with pytest.raises(BadKey, match=one.id):
        store.find("crm")
    store.revoke(one.id)
    assert store.find("crm").id == two.id
    with pytest.raises(BadKey, match="no such key"):
        store.find("erp")


def test_two_processes_that_begin_at_once_have_one_pepper(tmp_path: Path) -> None:
    begin, made, failed = threading.Barrier(8), [], []

    def create() -> None:
        begin.wait()
        try:
            with contextlib.closing(KeyStore(tmp_path / "access")) as mine:
                made.append(mine.create("crm", PROGRAM, READ, 90, "ann")[0])
        except (OSError, sqlite3.Error) as error:
            failed.append(error)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []
    with contextlib.closing(KeyStore(tmp_path / "access")) as store:
        assert all(store.verify(text) for text in made)
    assert sorted(path.name for path in (tmp_path / "access").glob("access.key*")) == ["access.key"]


def test_a_pepper_that_was_cut_off_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "access.key").write_bytes(b"short")
    with pytest.raises(OSError, match="32 octets"):
        KeyStore(tmp_path)


async def test_a_key_that_another_process_revokes_opens_nothing_at_once(tmp_path: Path, clock: Clock) -> None:
    with contextlib.closing(KeyStore(tmp_path, clock)) as store:
        text, key = store.create("crm", PROGRAM, READ, 90, "ann")
        with contextlib.closing(KeyAuthenticator(tmp_path, clock)) as authenticator:
            principal = await authenticator.authenticate(presented(text))
            assert principal is not None
            assert authenticator.holds(principal)
            clock.now += 30
            await authenticator.authenticate(presented(text))
            assert store.find(key.id).used_at is None  # not with the request
            await authenticator.note_uses()
            assert store.find(key.id).used_at == clock.now
            store.revoke(key.id)
            assert not authenticator.holds(principal)
            assert await authenticator.authenticate(presented(text)) is None


async def test_other_credentials_are_left_to_others(tmp_path: Path) -> None:
    with contextlib.closing(KeyAuthenticator(tmp_path)) as authenticator:
        for header in (b"Bearer a-token-of-somebody", b"Basic dHdfOg==", b"Bearer tw_", b""):
            assert await authenticator.authenticate({"headers": [(b"authorization", header)]}) is None
        assert authenticator.holds(Principal("ann", frozenset({Role.AGENT})))


def tonewall(conf: Path, *arguments: str) -> tuple[int, str, str]:
    """Status and what `tonewall token` printed on both outputs."""
    command = [sys.executable, "-m", "b2bua.cli", "token", *arguments, "-c", str(conf)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"}
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_makes_lists_replaces_and_revokes_and_the_audit_log_has_it(tmp_path: Path) -> None:
    make_key(tmp_path / "audit.pem")
    conf = tmp_path / "sip.conf"
    conf.write_text(
        f"[access]\ndirectory = {tmp_path}/access\n"
        f"[audit]\ndirectory = {tmp_path}/audit\nkey_file = {tmp_path}/audit.pem\n"
    )
    create = ("create", "--name", "crm", "--role", "integration", "--scope", "calls:read payments:take")
    status, text, said = tonewall(conf, *create)
    assert (status, text.count("\n")) == (0, 1)
    assert "shown only now" in said
    status, listed, _ = tonewall(conf, "list")
    assert "crm  integration calls:read payments:take  until" in listed
    assert "used never" in listed
    status, replaced, _ = tonewall(conf, "rotate", "crm", "--keep", "1h")
    with contextlib.closing(KeyStore(tmp_path / "access")) as store:
        old, new = store.verify(text.strip()), store.verify(replaced.strip())
        assert old is not None
        assert new is not None
        assert old.expires_at < new.expires_at
        assert tonewall(conf, "revoke", new.id)[0] == 0
        assert store.verify(replaced.strip()) is None
    _, listed, _ = tonewall(conf, "list", "--all", "--json")
    assert [each["valid"] for each in json.loads(listed)] == [False, True]
    assert tonewall(conf, *create, "--expires", "400d")[0] == 2
    lines = [
        json.loads(line) for path in log_files(tmp_path / "audit") for line in path.read_text().splitlines()
    ]
    noted = [(each["entry"]["what"], each["entry"]["result"]) for each in lines if each.get("entry")]
    asked = [what for what, result in noted if result == "asked"]
    assert asked == ["create_token", "rotate_token", "revoke_token", "create_token"]
    assert noted[-1] == ("create_token", "failed")
    everything = b"".join(path.read_bytes() for path in (tmp_path / "audit").rglob("*") if path.is_file())
    assert text.strip().split("_", 2)[2].encode() not in everything


def test_the_command_says_what_to_do_where_there_are_no_keys(tmp_path: Path) -> None:
    conf = tmp_path / "sip.conf"
    conf.write_text("[api]\n")
    status, _, said = tonewall(conf, "list")
    assert (status, "[access] directory" in said) == (2, True)
    conf.write_text(f"[access]\ndirectory = {tmp_path}/access\n")
    assert tonewall(conf, "revoke", "nobody")[::2] == (
        2, "tonewall: there is no such key; `tonewall token list` has them\n",
    )  # fmt: skip
    assert (
        "expected scopes"
        in tonewall(conf, "create", "--name", "x", "--role", "integration", "--scope", "all:x")[2]
    )
