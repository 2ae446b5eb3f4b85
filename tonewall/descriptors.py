"""Descriptors that a process inherits from the one that starts it, each by a name.

Rule 1: whoever reads the table has its descriptors alone: programs that it starts inherit none.
Rule 2: a descriptor that was not named in the table is no concern of this module's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from typing import Final

import msgspec

_STORED: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
_FIRST_STORED: Final = 3  # behind standard error
_MAX_DIGITS: Final = 5  # of their count
VARIABLE: Final = "TONEWALL_DESCRIPTORS"  # of a child: JSON, the number of each by its name


def write_table(descriptors: Mapping[str, int]) -> dict[str, str]:
    """The environment by which a child finds these descriptors, which must be passed to it."""
    return {VARIABLE: msgspec.json.encode(dict(descriptors)).decode()} if descriptors else {}


def take_table(environment: MutableMapping[str, str]) -> dict[str, int]:
    """The descriptors that this environment names, which loses them: they are taken once.

    Raises ValueError for what is no table, OSError for a descriptor that is not open."""
    text = environment.pop(VARIABLE, "")
    if not text:
        return {}
    found = msgspec.json.decode(text, type=dict[str, int])
    for number in found.values():
        os.set_inheritable(number, False)
    return found


def take_stored(environment: MutableMapping[str, str], pid: int) -> dict[str, int]:
    """The descriptors that systemd has kept for this process (LISTEN_FDS), by their names;
    the environment loses them. Of two of one name the second is closed. Raises OSError for a
    descriptor that is not open."""
    whose, count, names = (environment.pop(each, "") for each in _STORED)
    if whose != str(pid) or not count.isdecimal() or len(count) > _MAX_DIGITS:
        return {}
    found: dict[str, int] = {}
    for number, name in enumerate(names.split(":"), _FIRST_STORED):
        if number >= _FIRST_STORED + int(count):
            break
        os.set_inheritable(number, False)
        if found.setdefault(name, number) != number:
            os.close(number)
    return found
