"""What a check found: how bad it is, what was looked at, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Level(Enum):
    GOOD = auto()
    WARNING = auto()
    FAULT = auto()


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    what: str
    says: str


def good(what: str, says: str) -> Finding:
    return Finding(Level.GOOD, what, says)


def warn(what: str, says: str) -> Finding:
    return Finding(Level.WARNING, what, says)


def fault(what: str, says: str) -> Finding:
    return Finding(Level.FAULT, what, says)
