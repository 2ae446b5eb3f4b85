"""Builds of the media core that are watched while they run; kept in build/sanitize, and made again
when a source has changed.

Rule 1: what the product runs is never built here, and nothing built here is beside the sources.
Rule 2: at a fault the program ends: nothing goes on that a test could take for good.
"""

from __future__ import annotations

import fcntl
import subprocess
import sysconfig
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).parents[2]
_CORE = ROOT / "media" / "core"
BUILT = ROOT / "build/sanitize"
_UNLOCKED = Path(__file__).parent / "unlocked.h"
_HARNESSES = ROOT / "tests/fuzz/core"
_FLAGS = [
    "-std=gnu11",
    "-D_GNU_SOURCE",
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-ffp-contract=off",
    "-Wall",
    "-Wextra",
    "-Werror",
]
_FATAL = ["-fno-sanitize-recover=undefined"]


class Watch(StrEnum):
    """What a build is watched for: memory and undefined behaviour, or races."""

    ADDRESS = "address,undefined"
    THREAD = "thread"


def core(watch: Watch, *, unlocked: bool = False) -> Path:
    """The directory of a core that Python can load instead of the product's. `unlocked`: with a
    race planted in it."""
    place = BUILT / ("unlocked" if unlocked else watch.name.lower())
    planted = ["-include", str(_UNLOCKED)] if unlocked else []
    python = [
        "-fPIC",
        "-shared",
        "-fvisibility=hidden",
        "-DPy_LIMITED_API=0x030B0000",
        f"-I{sysconfig.get_path('include')}",
    ]
    sources = sorted(_CORE.rglob("*.c"))
    _build(
        "gcc", [*_FLAGS, f"-fsanitize={watch}", *_FATAL, *python, *planted], sources, place / "_core.abi3.so"
    )
    return place


def fuzzer() -> Path:
    """The program of libFuzzer: the harnesses of tests/fuzz/core, and the core without Python."""
    sources = [one for one in sorted(_CORE.rglob("*.c")) if not _needs_python(one)]
    flags = [*_FLAGS, "-fsanitize=fuzzer,address,undefined", *_FATAL]
    _build("clang", flags, [*sorted(_HARNESSES.glob("*.c")), *sources], BUILT / "fuzzer")
    return BUILT / "fuzzer"


def runtime(watch: Watch) -> str:
    """What is loaded before Python: the sanitizer, and what throws exceptions in other libraries,
    which it has to know first."""
    names = ["libasan.so" if watch is Watch.ADDRESS else "libtsan.so", "libstdc++.so.6"]
    return ":".join(_output(["gcc", f"-print-file-name={name}"]) for name in names)


def _needs_python(source: Path) -> bool:
    return source.parent.name == "python"


def _build(compiler: str, flags: Sequence[str], sources: Sequence[Path], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    needed = [*sources, *_CORE.rglob("*.h"), *_HARNESSES.glob("*.h"), _UNLOCKED, Path(__file__)]
    with (target.parent / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests in several processes want the same
        if target.exists() and all(each.stat().st_mtime <= target.stat().st_mtime for each in needed):
            return
        made = target.with_suffix(".made")
        subprocess.run(
            [
                compiler,
                *flags,
                f"-I{_CORE}",
                *map(str, sources),
                "-o",
                str(made),
                "-lsrtp2",
                "-lpthread",
                "-lm",
            ],
            check=True,
        )
        made.replace(target)


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
