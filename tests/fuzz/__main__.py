"""`python -m tests.fuzz TARGET|all [libFuzzer's options]`: fuzzes a target.

Needs atheris (the extra `fuzz`), which brings its own libFuzzer. What it finds interesting is kept
in build/fuzz/TARGET and is where the next run begins; a crash is written beside it, and belongs
into the tests as a case of its own.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from types import FunctionType
from typing import NoReturn

import atheris

from tests.fuzz.targets import TARGETS

_OURS = frozenset({"b2bua", "media", "provider_adapters", "tonewall"})
_CORPUS = Path("build/fuzz")


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in (*TARGETS, "all"):
        raise SystemExit(f"which target? all, or one of {', '.join(TARGETS)}")
    name, *options = sys.argv[1:]
    instrument()
    if name != "all":
        fuzz(name, options)
    # Instrumenting takes longer than a short run: one process a target, all of the same
    # instrumented one.
    failed = [each for each in TARGETS if not _apart(each, options)]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def instrument() -> None:
    """Have libFuzzer see our own code. An editable installation's modules do not pass through the
    import hook of atheris."""
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and (each.__module__ or "").partition(".")[0] in _OURS:
            atheris.instrument_func(each)


def fuzz(name: str, options: list[str]) -> NoReturn:
    """Fuzz one target; libFuzzer ends the process."""
    target, seeds = TARGETS[name]
    corpus = _CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup(
        ["fuzz", "-max_len=20000", f"-artifact_prefix={_CORPUS}/{name}-", *options, str(corpus)], target
    )
    atheris.Fuzz()
    raise SystemExit(0)


def _apart(name: str, options: list[str]) -> bool:
    """Whether a target holds, in a process of its own."""
    print(f"--- {name}", file=sys.stderr, flush=True)
    child = os.fork()
    if not child:
        fuzz(name, options)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


if __name__ == "__main__":
    main()
