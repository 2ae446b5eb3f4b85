"""`python -m tests.fuzz TARGET [libFuzzer's options]`: fuzzes a target.

Needs atheris (the extra `fuzz`), which brings its own libFuzzer. What it finds interesting is kept in build/fuzz/TARGET and is
where the next run begins; a crash is written beside it, and belongs into the tests as a case of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

from tests.fuzz.targets import TARGETS

_CORPUS = Path("build/fuzz")


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        raise SystemExit(f"which target? one of {', '.join(TARGETS)}")
    name = sys.argv.pop(1)
    target, seeds = TARGETS[name]
    corpus = _CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.instrument_all()  # not its import hook: an editable installation's modules do not pass through that
    atheris.Setup([*sys.argv, "-max_len=20000", f"-artifact_prefix={_CORPUS}/{name}-", str(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
