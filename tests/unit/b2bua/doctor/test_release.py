"""What doctor and `tonewall verify-files` say of the installed files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from b2bua.cli import app
from b2bua.doctor.finding import Level
from b2bua.doctor.release import check_files
from tests.installed import Signer, small_installation
from tonewall.manifest import MANIFEST
from tonewall.minisign import PublicKey


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("key"))


@pytest.fixture
def root(tmp_path: Path, signer: Signer) -> Path:
    root = small_installation(tmp_path / "site")
    signer.sign(root / MANIFEST)
    return root


def test_doctor_says_whether_the_files_are_compared_and_signed(root: Path, signer: Signer):
    key = PublicKey.parse(signer.public)
    found = check_files(key, root)
    assert (found.level, found.text) == (Level.GOOD, "7 are those of release 1.2.3, as signed")
    unsigned = check_files(None, root)
    assert unsigned.level is Level.WARNING
    assert "set [general] manifest_key" in unsigned.text
    for number in range(5):
        (root / "media" / f"new{number}.py").write_text("")
    changed = check_files(key, root)
    assert changed.level is Level.FAULT
    assert "media/new0.py (not in the manifest)" in changed.text
    assert "and 2 more" in changed.text


def test_doctor_says_of_an_installation_from_the_sources_that_it_is_none(root: Path):
    (root / MANIFEST).unlink()
    found = check_files(None, root)
    assert (found.level, found.text.partition(":")[0]) == (Level.GOOD, "not compared")


def test_the_command_ends_with_0_1_or_2(root: Path, signer: Signer):
    command = ["verify-files", "--root", str(root)]
    well = CliRunner().invoke(app, [*command, "--key", signer.public])
    assert (well.exit_code, well.output.splitlines()[-1]) == (0, "as released")
    (root / "b2bua" / "money.py").unlink()
    changed = CliRunner().invoke(app, [*command, "--key", signer.public, "--json"])
    assert changed.exit_code == 1
    paths = [each["path"] for each in json.loads(changed.stdout)["differences"]]
    assert "b2bua/money.py" in paths
    (root / MANIFEST).unlink()
    none = CliRunner().invoke(app, command)
    assert none.exit_code == 2
    assert "was installed from the sources" in none.stderr
    assert CliRunner().invoke(app, [*command, "--key", signer.public]).exit_code == 1
    wrong = CliRunner().invoke(app, [*command, "--key", "RW"])
    assert wrong.exit_code == 2
    assert "56 characters" in wrong.stderr
