"""Compares installed files in a process of its own, at the lowest priority: `python -m
tonewall.file_check FOLDER [KEY]` writes the comparison as JSON.

Compiling every source for its bytecode would hold up the threads of a process that has calls.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import msgspec

from tonewall.manifest import compare
from tonewall.minisign import PublicKey


def main() -> None:
    """The process's entry point."""
    os.nice(19)
    folder, key = Path(sys.argv[1]), PublicKey.parse(sys.argv[2]) if len(sys.argv) > 2 else None
    answer = msgspec.json.encode(compare(folder, key))
    with contextlib.suppress(BrokenPipeError):  # the process that asked is gone
        os.write(sys.stdout.fileno(), answer)


if __name__ == "__main__":
    main()
