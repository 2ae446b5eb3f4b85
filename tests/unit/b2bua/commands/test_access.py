"""`tonewall access review`: who may do what is listed without a secret, and who signs it off is in
the audit log."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from b2bua.access.keys import KeyStore
from b2bua.access.review import DISABLED, EXPIRED, NO_APP, NOT_USED
from b2bua.access.roles import Role, Scope
from b2bua.access.users import UserFile
from b2bua.audit.entry import Entry, Result
from b2bua.audit.log_file import LogFile
from b2bua.audit.signing_key import make_key, read_private
from b2bua.audit.verify import verify
from b2bua.cli import app

RUNNER = CliRunner()
TOKENS = "ann:a-token-of-sixteen, ben:another-of-sixteen, crm:sha256:" + "ab" * 32
CONF = """
[carrier]
host = 192.0.2.1
[pbx]
host = 192.0.2.2
[api]
tokens = {tokens}
roles = ben:supervisor+auditor, crm:integration
teams = sales:ann ben
[provider]
adapter = connector
url = https://provider.example
api_key = a-key-of-the-provider
{audit}
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """With ann's entry in the audit log."""
    public = make_key(tmp_path / "audit.pem")
    assert public.exists()
    key = read_private(tmp_path / "audit.pem")
    log = LogFile(tmp_path / "audit", key, lambda: 1_796_000_000.0, erasable=True)
    log.append([Entry(at="2026-12-01T10:00:00.000Z", who="ann", what="submit_card", result=Result.DONE)])
    log.close()
    path = tmp_path / "sip.conf"
    audit = f"[audit]\ndirectory = {tmp_path / 'audit'}\nkey_file = {tmp_path / 'audit.pem'}\nerasable = yes"
    path.write_text(CONF.format(tokens=TOKENS, audit=audit))
    return path


def review(conf: Path, *options: str) -> tuple[int, str]:
    said = RUNNER.invoke(app, ["access", "review", "-c", str(conf), *options])
    return said.exit_code, said.output


def test_everybody_is_listed_with_roles_and_without_a_secret(conf: Path) -> None:
    status, said = review(conf)
    assert status == 0, said
    ann, ben, crm, total = said.splitlines()
    assert ann == "ann: agent, by token; teams sales; never expires; last seen 2026-12-01T10:00:00.000Z"
    assert ben == "ben: auditor, supervisor, by token; teams sales; never expires; not seen yet"
    assert crm.startswith("crm: integration, by token; scopes calls:read ")
    assert total.startswith("3 in all; digest ")
    assert not any(secret in said for secret in ("sixteen", "abab"))


def test_a_sign_off_is_in_the_audit_log_with_the_digest_of_the_list(conf: Path, tmp_path: Path) -> None:
    status, said = review(conf, "--sign-off", "Sue Auditor")
    assert status == 0, said
    digest = said.partition("digest ")[2].split()[0]
    shown = RUNNER.invoke(app, ["audit", "show", "--json", str(tmp_path / "audit"), "--who", "Sue Auditor"])
    asked, done = (json.loads(line) for line in shown.output.splitlines())
    assert (asked["what"], asked["result"], done["result"]) == ("review_access", "asked", "done")
    assert (done["details"]["digest"], done["details"]["grants"]) == (digest, 3)
    assert verify(tmp_path / "audit", read_private(tmp_path / "audit.pem").public_key()).findings == []


def test_the_digest_changes_with_a_role_and_not_with_an_entry(conf: Path) -> None:
    _, before = review(conf)
    review(conf, "--sign-off", "ann")
    _, after = review(conf)
    assert before.splitlines()[0] != after.splitlines()[0]
    assert before.splitlines()[-1] == after.splitlines()[-1]
    conf.write_text(conf.read_text().replace("ben:supervisor+auditor", "ben:supervisor"))
    assert review(conf)[1].splitlines()[-1] != before.splitlines()[-1]


def test_a_list_as_json_is_lines(conf: Path) -> None:
    _, said = review(conf, "--json")
    assert [json.loads(line)["name"] for line in said.splitlines()] == ["ann", "ben", "crm"]


def test_without_an_audit_log_nothing_is_signed_off(tmp_path: Path) -> None:
    path = tmp_path / "sip.conf"
    path.write_text(CONF.format(tokens=TOKENS, audit=""))
    status, said = review(path, "--sign-off", "Sue Auditor")
    assert status == 2
    assert "there is no audit log" in said


DAY = 86_400.0


@pytest.fixture
def everybody(conf: Path, tmp_path: Path) -> Path:
    """The same, with keys, people, a program's certificate and an identity provider."""
    directory, now = tmp_path / "access", time.time()
    old = KeyStore(directory, lambda: now - 100 * DAY)
    old.create("crm", frozenset({Role.INTEGRATION}), frozenset({Scope.CALLS_READ}), 90, "root")
    old.create("dialler", frozenset({Role.INTEGRATION}), frozenset({Scope.LINKS}), 365, "root")
    old.create("gone", frozenset({Role.METRICS}), frozenset(), 5, "root")  # expired 95 days ago
    key = old.create("stolen", frozenset({Role.METRICS}), frozenset(), 365, "root")[1]
    old.revoke(key.id)
    old.close()
    people = UserFile(directory, lambda: now - 100 * DAY)
    for name, role in (("dora", Role.AGENT), ("eve", Role.ADMINISTRATOR), ("fay", Role.AGENT)):
        people.add(name, frozenset({role}), frozenset({"north"}), "hash")
    people.set_totp("dora", b"sealed")
    people.set_disabled("fay", True)
    people.close()
    people = UserFile(directory, lambda: now - DAY)
    people.note_sign_in("dora")
    people.close()
    pem = tmp_path / "some.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\n")
    conf.write_text(
        conf.read_text().replace("[api]", f"[api]\ntls_certificate = {pem}\nclient_ca = {pem}")
        + f"""
[access]
directory = {directory}
totp_required = administrator
[client wallboard]
certificate = dns:wallboard.example
scopes = calls:read
[oidc]
issuer = https://people.example
client_id = tonewall
redirect_uri = https://tonewall.example/sign-in/oidc/callback
roles = pay-agents:agent, pay-leads:supervisor+auditor
teams = pay-leads:north
[oauth]
issuer = https://idp.example
audience = tonewall
roles = revision:auditor
"""
    )
    return conf


def test_keys_people_and_certificates_are_listed_with_what_to_look_at(everybody: Path) -> None:
    status, said = review(everybody, "--json")
    assert status == 0, said
    grants = {each["name"]: each for each in map(json.loads, said.splitlines())}
    assert set(grants) == {
        "(any client)", "ann", "ben", "crm", "dialler", "dora", "eve", "fay", "pay-agents", "pay-leads",
        "revision", "wallboard",
    }  # fmt: skip
    assert {name: each["notes"] for name, each in grants.items() if each["notes"]} == {
        "dialler": [NOT_USED], "eve": [NO_APP, NOT_USED], "fay": [DISABLED],
    }  # fmt: skip
    assert (grants["dora"]["method"], grants["dora"]["teams"]) == ("password and app", ["north"])
    assert (grants["wallboard"]["credential"], grants["wallboard"]["scopes"]) == (
        "dns:wallboard.example", ["calls:read"],
    )  # fmt: skip
    assert grants["revision"]["roles"] == ["auditor"]
    leads = grants["pay-leads"]
    assert (leads["method"], leads["roles"], leads["teams"]) == ("oidc", ["auditor", "supervisor"], ["north"])
    keys = [each for each in map(json.loads, said.splitlines()) if each["name"] == "crm"]
    assert [(each["method"], each["notes"]) for each in keys] == [("key", [EXPIRED]), ("token", [])]
    assert "hash" not in said


def test_the_digest_is_of_what_opens_something(everybody: Path, tmp_path: Path) -> None:
    def digest() -> str:
        return review(everybody)[1].splitlines()[-1].partition("digest ")[2]

    before = digest()
    people = UserFile(tmp_path / "access")
    people.note_sign_in("eve")
    assert digest() == before
    people.set_disabled("eve", True)
    disabled = digest()
    people.close()
    assert disabled != before


def test_where_the_files_are_anothers_the_list_is_no_shorter_one(
    everybody: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    status, said = review(everybody)
    assert status == 2
    assert "another user's" in said
    assert "ann" not in said
