"""Runs the harnesses: over what is kept in tests/fuzz/corpus, and on from there.

What a run finds interesting is kept in build/fuzz/core-NAME and is where the next one begins; a
crash is written beside it, and belongs into tests/fuzz/corpus once it is mended. `keep` makes that
corpus anew, as small as all that was found allows.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.sanitize.build import ROOT, fuzzer

HARNESSES = ("packets", "relay", "texts")
MAX_INPUT = 1200  # bytes of one input
_KEPT, _FOUND = ROOT / "tests/fuzz/corpus", ROOT / "build/fuzz"


def fuzz(name: str, seconds: int, *options: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """The kept inputs, and new ones for so long. Its return code is not 0 where a rule was broken
    or a sanitizer spoke."""
    found = _FOUND / f"core-{name}"
    found.mkdir(parents=True, exist_ok=True)
    limits = [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_INPUT}",
        "-len_control=0",
        "-timeout=30",
        f"-artifact_prefix={found}-",
    ]
    return _run(name, [*limits, *options, str(found), str(_KEPT / name)], capture=capture)


def replay(name: str) -> subprocess.CompletedProcess[str]:
    """The kept inputs, once each."""
    return _run(name, [str(each) for each in sorted((_KEPT / name).iterdir())], capture=True)


def keep(name: str) -> None:
    """Add to the kept inputs the fewest of those that were found that do something new."""
    (_KEPT / name).mkdir(parents=True, exist_ok=True)
    _run(name, ["-merge=1", str(_KEPT / name), str(_FOUND / f"core-{name}")]).check_returncode()


def _run(name: str, arguments: Sequence[str], *, capture: bool = False) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "TONEWALL_HARNESS": name,
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        "ASAN_OPTIONS": "detect_stack_use_after_return=1",
    }
    return subprocess.run(
        [str(fuzzer()), *arguments], env=environment, check=False, text=True, capture_output=capture
    )


def kept(name: str) -> list[Path]:
    return sorted((_KEPT / name).iterdir())
