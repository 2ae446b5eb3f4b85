"""`tonewall audit`: a key is made, a log is verified and shown, and what is wrong is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from b2bua.audit.entry import Entry, Result
from b2bua.audit.log_file import LogFile
from b2bua.audit.signing_key import make_key, read_private
from b2bua.audit.verify import log_files
from b2bua.cli import app

RUNNER = CliRunner()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The public key of the log in `audit` beside it: ann's request for c-1, ben's for c-2."""
    private = tmp_path / "audit.pem"
    public = make_key(private)
    log = LogFile(tmp_path / "audit", read_private(private), lambda: 1_796_000_000.0)
    for who, call in (("ann", "c-1"), ("ben", "c-2")):
        log.append([Entry(at="then", who=who, what="submit_card", result=Result.ASKED, call=call)])
    log.close()
    return public


def test_a_key_is_made_and_no_other_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "audit.pem"
    made = RUNNER.invoke(app, ["audit", "key", str(path)])
    assert made.exit_code == 0, made.output
    assert "keep a copy elsewhere" in made.output
    before = path.read_bytes()
    again = RUNNER.invoke(app, ["audit", "key", str(path)])
    assert again.exit_code != 0
    assert "there already" in again.output
    assert path.read_bytes() == before


def test_a_sound_log_is_said_to_be_sound(key: Path) -> None:
    said = RUNNER.invoke(app, ["audit", "verify", str(key.parent / "audit"), "--key", str(key)])
    assert said.exit_code == 0
    assert said.output.splitlines() == [
        "4 lines, 1 to 4, 2 entries; 0 since the last checkpoint",
        "sound",
    ]


def test_a_changed_line_is_named_with_its_file(key: Path) -> None:
    (path,) = log_files(key.parent / "audit")
    path.write_bytes(path.read_bytes().replace(b'"who":"ann"', b'"who":"eve"'))
    said = RUNNER.invoke(app, ["audit", "verify", str(path.parent), "--key", str(key)])
    assert said.exit_code == 1
    assert f"{path.name}, line 3: the line before it is not the one that was written there" in said.output
    assert "NOT sound" in said.output
    as_json = RUNNER.invoke(app, ["audit", "verify", str(path.parent), "--key", str(key), "--json"])
    assert json.loads(as_json.output)["findings"][0]["line"] == 3


@pytest.mark.parametrize(("option", "who"), [("--call=c-2", "ben"), ("--who=ann", "ann")])
def test_entries_are_shown_by_call_and_by_name(key: Path, option: str, who: str) -> None:
    said = RUNNER.invoke(app, ["audit", "show", str(key.parent / "audit"), option, "--json"])
    (entry,) = (json.loads(line) for line in said.output.splitlines())
    assert (entry["who"], entry["what"], entry["result"]) == (who, "submit_card", "asked")


@pytest.mark.parametrize("wrong", ["key", "directory"])
def test_what_is_no_log_or_no_key_is_said(key: Path, wrong: str, tmp_path: Path) -> None:
    own = key.with_suffix("") if wrong == "key" else key
    directory = tmp_path / ("audit" if wrong == "key" else "nothing")
    said = RUNNER.invoke(app, ["audit", "verify", str(directory), "--key", str(own)])
    assert said.exit_code not in (0, 1)
    expected = "expected an Ed25519 key" if wrong == "key" else "there is no audit log"
    assert expected in said.output
