"""`tonewall user`: people are added, given an app, listed, disabled and removed in real files, and
each change is in the audit log without a secret."""

from __future__ import annotations

import json
import stat
import time
from contextlib import closing
from pathlib import Path

import pyotp
import pytest
from typer.testing import CliRunner, Result

from b2bua.access.principal import Principal
from b2bua.access.roles import Role
from b2bua.access.sessions import Sessions
from b2bua.access.store import FILE
from b2bua.access.users import UserFile
from b2bua.audit.signing_key import make_key
from b2bua.cli import app

RUNNER = CliRunner()
ANN = Principal(name="ann", roles=frozenset({Role.AGENT}), method="password", credential="user:ann")


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    make_key(tmp_path / "audit.pem")
    path = tmp_path / "sip.conf"
    path.write_text(
        f"[access]\ndirectory = {tmp_path / 'access'}\n"
        f"[audit]\ndirectory = {tmp_path / 'audit'}\nkey_file = {tmp_path / 'audit.pem'}\n"
    )
    return path


def user(conf: Path, *arguments: str, given: str = "") -> Result:
    return RUNNER.invoke(app, ["user", *arguments, "-c", str(conf)], input=given)


def listed(conf: Path) -> dict[str, dict[str, object]]:
    found = user(conf, "list", "--json")
    assert found.exit_code == 0, found.output
    return {each["name"]: each for each in json.loads(found.stdout)}


def test_somebody_comes_changes_and_goes(conf: Path, tmp_path: Path) -> None:
    began = time.time()
    made = user(conf, "add", "ann", "--role", "agent+supervisor", "--team", "north south")
    assert made.exit_code == 0, made.output
    password = made.stdout.strip()
    assert len(password) >= 16
    again = user(conf, "add", "ann", "--role", "agent")
    assert (again.exit_code, "already" in again.output) == (2, True)
    ann = listed(conf)["ann"]
    assert (ann["roles"], ann["teams"]) == (["agent", "supervisor"], ["north", "south"])
    assert (ann["totp"], ann["disabled"], ann["must_change"]) == (False, False, True)
    assert began <= float(str(ann["created_at"])) <= time.time()

    given = user(conf, "totp", "ann")
    secret = given.stdout.partition("secret: ")[2].split()[0]
    assert pyotp.parse_uri(given.stdout.splitlines()[1]).secret == secret
    assert listed(conf)["ann"]["totp"] is True
    for arguments, words in ((["disable", "ann"], "no more"), (["disable", "ann", "--undo"], "again")):
        assert words in user(conf, *arguments).output
        assert listed(conf)["ann"]["disabled"] is (words == "no more")
    assert "ann  agent+supervisor of north south  app  last signed in never" in user(conf, "list").output
    assert user(conf, "totp", "ann", "--remove").exit_code == 0
    new = user(conf, "password", "ann").stdout.strip()
    assert new != password
    assert user(conf, "remove", "ann").exit_code == 0
    assert listed(conf) == {}
    assert "there is nobody" in user(conf, "list").output

    database = (tmp_path / "access" / FILE).read_bytes()
    assert stat.S_IMODE((tmp_path / "access" / FILE).stat().st_mode) == 0o600
    shown = RUNNER.invoke(app, ["audit", "show", "--json", str(tmp_path / "audit")])
    done = [each["what"] for each in map(json.loads, shown.output.splitlines()) if each["result"] == "done"]
    assert done == [
        "add_user", "set_totp", "disable_user", "enable_user", "remove_totp", "reset_password", "remove_user",
    ]  # fmt: skip
    for hidden in (password, new, secret):
        assert hidden.encode() not in database
        assert hidden not in shown.output


async def test_a_session_ends_with_a_sign_out_and_with_whoever_is_disabled(
    conf: Path, tmp_path: Path
) -> None:
    user(conf, "add", "ann", "--role", "agent")
    with closing(Sessions(tmp_path / "access", time.time)) as sessions:
        for arguments in (["sign-out", "ann"], ["disable", "ann"]):
            cookie = await sessions.open(ANN, "192.0.2.1")
            header = (b"cookie", f"tonewall_session={cookie}".encode())
            scope = {"type": "http", "method": "GET", "scheme": "http", "headers": [header]}
            assert await sessions.authenticate(scope) is not None
            assert user(conf, *arguments).exit_code == 0
            assert await sessions.authenticate(scope) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["disable", "nobody"], "there is nobody of that name"),
        (["totp", "nobody"], "there is nobody of that name"),
        (["add", "ben", "--role", "root"], "--role"),
        (["add", "ben", "--role", "metrics"], "programs have tokens"),
        (["add", "b e n", "--role", "agent"], "expected a name"),
        (["add", "ben", "--role", "agent", "--team", "a/b"], "--team"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_noted(
    conf: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    said = user(conf, *arguments)
    assert (said.exit_code, words in said.output) == (2, True), said.output
    assert not (tmp_path / "audit").exists()


def test_a_weak_password_of_ones_own_is_refused(conf: Path) -> None:
    weak = user(conf, "add", "ann", "--role", "agent", "--ask", given="short\nshort\n")
    assert (weak.exit_code, "12 to 256 characters" in weak.output) == (2, True)
    assert listed(conf) == {}


def test_another_users_directory_is_left_alone(
    conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing(UserFile(tmp_path / "access")).thing.close()
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    said = user(conf, "list")
    assert (said.exit_code, "another user's" in said.output) == (2, True)


def test_without_a_directory_the_setting_is_named(tmp_path: Path) -> None:
    path = tmp_path / "sip.conf"
    path.write_text("[api]\n")
    said = user(path, "list")
    assert (said.exit_code, "[access] directory: expected a directory" in said.output) == (2, True)
