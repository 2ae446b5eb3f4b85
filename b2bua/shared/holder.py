"""Names the process tree that an instance is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_START: Final = 19  # the place of starttime among the fields after the name, proc(5)


def own_holder(calls: int | None = None) -> str:
    """The same for all b2buas that go on with one another's calls, and for no other. `calls`: the
    descriptor of their file of calls, which outlives supervisors; None: there is none, and the
    supervisor is what they have in common. Raises OSError."""
    boot = _BOOT.read_text(encoding="ascii").strip()
    if calls is not None:
        # No other file in memory has its number, until the machine is started again (stat(2)).
        found = os.fstat(calls)
        return f"{boot}-calls-{found.st_dev}-{found.st_ino}"
    parent = os.getppid()
    fields = (
        Path(f"/proc/{parent}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    )
    return f"{boot}-{parent}-{fields[_START]}"
