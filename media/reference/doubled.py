"""Whether each key of a capture comes twice: as a gateway sends it that repeats a key too late for
both to be one press. The reference of `media/core/dtmf/doubled.c`.

Rule 1: a key may be a twin where it comes TWIN_MS or less after the key before, and that key came
        after a pause half as long again, or longer. This is asked of the times alone. Only where
        they say that keys come in pairs are two keys compared.
Rule 2: the verdict is of PAIRS pairs of equal keys, with no more than one other key for each PAIRS
        pairs. Nothing says which pairs are equal, nor that one is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TWIN_MS = 400
PAIRS = 4
FIRST_MS = 60_000  # of the first key: before it there is no other


@dataclass(slots=True)
class Doubled:
    """The keys of one capture. `found`: each comes twice."""

    found: bool = False
    _code: int | None = field(default=None, repr=False)
    _open: bool = False  # the newest key has no twin yet
    _pairs: int = 0
    _others: int = 0
    _at_ms: int = 0
    _since_ms: int = FIRST_MS

    def add_key(self, code: int, now_ms: int) -> None:
        """Take a key, in the order in which keys come."""
        after = FIRST_MS if self._code is None else now_ms - self._at_ms
        close = self._open and after <= TWIN_MS and 3 * after <= 2 * self._since_ms
        twin = close and self._code == code
        self._pairs += twin
        self._others += self._open and not twin
        self._open = not close
        self._code, self._at_ms, self._since_ms = code, now_ms, after
        self.found |= self._pairs >= PAIRS and PAIRS * self._others <= self._pairs
