"""`python -m tests.fuzz.core HARNESS SECONDS`, `python -m tests.fuzz.core HARNESS keep`."""

from __future__ import annotations

import sys

from tests.fuzz.core.run import HARNESSES, fuzz, keep


def main() -> int:
    if len(sys.argv) != 3 or sys.argv[1] not in HARNESSES:
        raise SystemExit(f"which harness, and how many seconds? one of {', '.join(HARNESSES)}")
    if sys.argv[2] == "keep":
        keep(sys.argv[1])
        return 0
    return fuzz(sys.argv[1], int(sys.argv[2])).returncode


if __name__ == "__main__":
    sys.exit(main())
