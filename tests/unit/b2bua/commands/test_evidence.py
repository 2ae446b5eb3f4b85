"""`tonewall evidence`: a pack is made, verified and extracted, and holds no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from b2bua.audit.entry import Entry
from b2bua.audit.entry import Result as AuditResult
from b2bua.audit.log_file import LogFile
from b2bua.audit.signing_key import make_key, read_private
from b2bua.audit.verify import log_files
from b2bua.cli import app
from tests.unit.b2bua.doctor.written import GOOD_TOKEN, conf

RUNNER = CliRunner()
AT = 1_796_000_000.0  # 2026-11-30
PASSWORD = "carriers-own-password"
PERIOD = ["--from", "2026-11-01", "--to", "2026-12-01"]


def make(folder: Path, to: Path) -> Result:
    config = ["-c", str(folder / "sip.conf")]
    return RUNNER.invoke(app, ["evidence", *config, *PERIOD, "--offline", "-o", str(to)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sip.conf, an audit log with a mask, and the pack of its month."""
    folder = tmp_path_factory.mktemp("evidence")
    make_key(folder / "audit.pem")
    log = LogFile(folder / "audit", read_private(folder / "audit.pem"), lambda: AT, erasable=True)
    for what in ("start_payment", "mask_on", "mask_off"):
        log.append(
            [Entry(at="2026-11-30T00:53:20.000Z", who="ann", what=what, result=AuditResult.DONE, call="c-1")]
        )
    log.close()
    conf(
        folder,
        audit={"directory": str(folder / "audit"), "key_file": str(folder / "audit.pem")},
        carrier={"username": "me", "password": PASSWORD},
    )
    made = make(folder, folder / "pack.tar.gz")
    assert made.exit_code == 0, made.output
    assert "not in it: access-reviews.jsonl" in made.output
    return folder


def verify(pack: Path, *more: str) -> tuple[int, str]:
    made = RUNNER.invoke(
        app, ["evidence", "verify", str(pack), "--key", str(pack.parent / "audit.pem.pub"), *more]
    )
    return made.exit_code, made.output


def test_a_pack_is_sound_and_has_what_it_names(folder: Path) -> None:
    status, output = verify(folder / "pack.tar.gz", "--extract", str(folder / "out"))
    assert (status, output.splitlines()[-1]) == (0, "sound"), output
    out = folder / "out"
    assert json.loads((out / "configuration.json").read_bytes())["sections"]["carrier"]["username"] == "me"
    assert "call c-1: masked from" in (out / "masks.txt").read_text()
    assert json.loads((out / "masks.json").read_bytes())["masks"] == 1
    assert json.loads((out / "audit-log.json").read_bytes())["whole_log"]["sound"]
    operations = json.loads((out / "roles.json").read_bytes())["operations"]
    assert operations["start_payment"]["agent"] == "own"
    assert "b2bua/evidence/pack.py" in (out / "files.sha256").read_text()
    packages = {each["name"] for each in json.loads((out / "components.json").read_bytes())["packages"]}
    assert {"cryptography", "msgspec"} <= packages
    assert "Leak report" in (out / "leak-report.md").read_text()
    key = str(folder / "audit.pem.pub")
    found = RUNNER.invoke(app, ["audit", "verify", str(out / "audit"), "--excerpt", "--key", key])
    assert found.exit_code == 0, found.output


def test_no_secret_is_in_a_pack(folder: Path) -> None:
    status, _ = verify(folder / "pack.tar.gz", "--extract", str(folder / "searched"))
    assert status == 0
    content = b"".join(path.read_bytes() for path in (folder / "searched").rglob("*") if path.is_file())
    assert b"(secret: set)" in content
    for secret in (PASSWORD, GOOD_TOKEN, "k-4412-aa", (folder / "audit.pem").read_text().splitlines()[1]):
        assert secret.encode() not in content


def test_a_pack_of_another_key_is_not_sound(folder: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "audit.pem")
    (tmp_path / "pack.tar.gz").write_bytes((folder / "pack.tar.gz").read_bytes())
    status, output = verify(tmp_path / "pack.tar.gz", "--extract", str(tmp_path / "out"))
    assert status == 1
    assert "NOT sound: manifest.json is not signed by this key" in output
    assert not (tmp_path / "out").exists()


def test_a_log_that_is_not_sound_is_a_fault_of_the_pack(folder: Path, tmp_path: Path) -> None:
    (path,) = log_files(folder / "audit")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"what":"start_payment"', b'"what":"start_pavment"', 1))
    try:
        made = make(folder, tmp_path / "pack.tar.gz")
    finally:
        path.write_bytes(whole)
    assert made.exit_code == 1
    assert f"FAULT: audit log: {path.name}" in made.output
    (tmp_path / "audit.pem.pub").write_bytes((folder / "audit.pem.pub").read_bytes())
    status, output = verify(tmp_path / "pack.tar.gz")
    assert status == 1
    assert "audit/audit-excerpt.jsonl, line" in output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", "2026-12-01", "--to", "2026-11-01"], "the first before the second"),
        (["--from", "2026-12-01"], "expected --from DATE --to DATE"),
        ([*PERIOD, "--key", "/nowhere.pem"], "/nowhere.pem"),
        ([*PERIOD, "--offline", "-o", "/nowhere/pack.tar.gz"], "cannot be made"),
    ],
)
def test_what_is_missing_is_named(folder: Path, arguments: list[str], says: str) -> None:
    made = RUNNER.invoke(app, ["evidence", "-c", str(folder / "sip.conf"), *arguments])
    assert made.exit_code == 2
    assert says in made.output
