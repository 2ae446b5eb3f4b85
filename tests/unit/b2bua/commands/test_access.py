"""`tonewall access review`: who may do what is listed without a secret, and who signs it off is in
the audit log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

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
    assert (
        ann
        == "ann: agent, by token; teams sales; never expires; last in the audit log 2026-12-01T10:00:00.000Z"
    )
    assert ben == "ben: auditor, supervisor, by token; teams sales; never expires; not in the audit log"
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
