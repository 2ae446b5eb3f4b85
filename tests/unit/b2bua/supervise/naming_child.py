"""A program for the tests of `start_child`: writes its name to each descriptor of its table, and
the numbers of all that it has open to the one that is named `list`."""

from __future__ import annotations

import os
import subprocess
import sys

from tonewall.descriptors import VARIABLE, take_table

LIST = "import os, sys; sys.stdout.write(' '.join(os.listdir('/proc/self/fd')))"


def main() -> None:
    """Raises OSError."""
    table = take_table(os.environ)
    # close_fds would hide what a program of its own can inherit.
    inherited = subprocess.run([sys.executable, "-c", LIST], close_fds=False, capture_output=True, check=True)
    for name, number in table.items():
        os.write(number, inherited.stdout if name == "list" else name.encode())
    if VARIABLE in os.environ:
        raise SystemExit(3)
