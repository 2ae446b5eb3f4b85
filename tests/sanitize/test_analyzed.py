"""The media core under GCC's static analyzer: `make analyze`.

It follows the paths of one source at a time: memory that is freed twice, leaked or not there,
descriptors that stay open, bounds that are known.
"""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

from tests.sanitize.build import ROOT

CORE = ROOT / "media" / "core"
PYTHON = ["-DPy_LIMITED_API=0x030B0000", f"-I{sysconfig.get_path('include')}"]
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-fanalyzer", f"-I{CORE}", *PYTHON]
LEAK = "#include <stdlib.h>\nint leak(void) { char *lost = malloc(3); return lost != NULL; }\n"


def analyse(sources: list[Path], directory: Path) -> str:
    """All that the compiler says of these; its objects go into `directory`."""
    command = ["gcc", *FLAGS, "-c", *map(str, sources)]
    return subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True).stderr


def test_the_analyzer_finds_nothing_in_the_core(tmp_path: Path) -> None:
    assert analyse(sorted(CORE.rglob("*.c")), tmp_path) == ""


def test_the_analyzer_finds_a_leak_that_is_planted(tmp_path: Path) -> None:
    planted = tmp_path / "leak.c"
    planted.write_text(LEAK)
    assert "Wanalyzer-malloc-leak" in analyse([planted], tmp_path)
