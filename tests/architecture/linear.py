"""Asks recheck whether patterns take linear time, and keeps which ones do, since it takes minutes:
`python -m tests.architecture.linear` asks of all patterns anew and writes the list.

Rule 1: an answer is kept for the same pattern, flags and version of recheck alone.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Final

from tests.architecture.patterns import Expression, expressions

CHECKER: Final = Path(__file__).parent / "recheck"
KNOWN: Final = CHECKER / "linear.json"
_LIMIT: Final = 1500  # seconds


def judge(patterns: list[Expression], known: frozenset[tuple[str, str]] = frozenset()) -> dict[str, str]:
    """What is not linear, by place and pattern; what is `known` to be is not asked again."""
    asked = [(each, source) for each, source in _sources(patterns) if (source, each.flags) not in known]
    given = json.dumps([{"source": source, "flags": each.flags} for each, source in asked])
    command = ["node", CHECKER / "check.js"]
    answer = subprocess.run(command, input=given, capture_output=True, text=True, check=True, timeout=_LIMIT)
    answers = json.loads(answer.stdout)
    return {
        f"{each.place}: {source}": why
        for (each, source), why in zip(asked, answers, strict=True)
        if why != "safe"
    }


def read_known() -> frozenset[tuple[str, str]]:
    """Sources and flags that this version of recheck has found linear."""
    kept = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    found = kept.get("patterns", []) if kept.get("recheck") == _version() else []
    return frozenset((source, flags) for source, flags in found)


def main() -> int:
    """Ask of all, and write those that are linear; 1 where one is not."""
    patterns = list(expressions())
    wrong = judge(patterns)
    for place, why in wrong.items():
        print(f"{place}: {why}")
    linear = sorted(
        {
            (source, each.flags)
            for each, source in _sources(patterns)
            if f"{each.place}: {source}" not in wrong
        }
    )
    KNOWN.write_text(json.dumps({"recheck": _version(), "patterns": linear}, indent=1) + "\n")
    return 1 if wrong else 0


def _sources(patterns: list[Expression]) -> list[tuple[Expression, str]]:
    return [(each, source) for each in patterns for source in each.anchored()]


def _version() -> str:
    lock = json.loads((CHECKER / "package-lock.json").read_text())
    return str(lock["packages"]["node_modules/recheck"]["version"])


if __name__ == "__main__":
    raise SystemExit(main())
