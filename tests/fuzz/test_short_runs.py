"""Every target, fuzzed for a few seconds with coverage as its guide: what falls over at once is
found in CI."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

SECONDS = 3


@pytest.mark.timeout(900)
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this Python"
)
def test_no_target_falls_over_at_once(tmp_path: Path) -> None:
    asked = [f"-max_total_time={SECONDS}", f"-artifact_prefix={tmp_path}/", "-verbosity=1"]
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "all", *asked],
        capture_output=True,
        text=True,
        timeout=880,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-8000:]
    assert run.stderr.count("Done ") == len(TARGETS)
