"""What a process of ours is started with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tonewall.process import card_environment, plain_environment


@pytest.mark.parametrize("environment", [plain_environment, card_environment])
def test_a_child_imports_nothing_from_the_folder_that_it_is_started_in(tmp_path: Path, environment):
    """That folder is one for data, in the image: what somebody puts there is not run."""
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "__init__.py").write_text("raise SystemExit('planted')\n")
    command = [sys.executable, "-m", "tonewall.version"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment({}), capture_output=True, check=False)
    command = [sys.executable, "-c", "import json"]
    imported = subprocess.run(command, cwd=tmp_path, env=environment({}), capture_output=True, check=False)
    assert (ran.returncode, imported.returncode, imported.stderr) == (0, 0, b"")


def test_nothing_of_ours_is_handed_on_but_what_is_given(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TONEWALL_PROVIDER_API_KEY", "secret")
    given = plain_environment({"TONEWALL_X": "1"})
    assert given["TONEWALL_X"] == "1"
    assert "TONEWALL_PROVIDER_API_KEY" not in given
