"""Findings of checks: their level, their subject, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Level(Enum):
    """The level of a finding; a fault keeps calls or payments from working."""

    GOOD = auto()
    WARNING = auto()
    FAULT = auto()


@dataclass(frozen=True, slots=True)
class Finding:
    """`what`: the subject, in a few words; `text`: what was found and, unless it is good, what to
    do."""

    level: Level
    what: str
    text: str


def good(what: str, text: str) -> Finding:
    """Makes a good finding."""
    return Finding(Level.GOOD, what, text)


def warn(what: str, text: str) -> Finding:
    """Makes a warning."""
    return Finding(Level.WARNING, what, text)


def fault(what: str, text: str) -> Finding:
    """Makes a fault."""
    return Finding(Level.FAULT, what, text)
