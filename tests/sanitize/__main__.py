"""All tests of the core with one that is watched: for memory and undefined behaviour, then for
races."""

from __future__ import annotations

import sys

from tests.sanitize.build import Watch
from tests.sanitize.running import CORE_TESTS, THREAD_TESTS, watched


def main() -> int:
    for watch, tests in ((Watch.ADDRESS, CORE_TESTS), (Watch.THREAD, THREAD_TESTS)):
        print(f"--- {watch} ---", flush=True)
        if (ended := watched(watch, tests)).returncode:
            return ended.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
