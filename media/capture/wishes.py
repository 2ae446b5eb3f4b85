"""Recognises what a customer keys that means no digit, where nobody else is there to be asked: `#`
when all is keyed confirms, and `*` then 0 then a pause asks for a person.

Rule 1: it sees kinds of keys and counts. Whether the one digit behind `*` is a 0 the vault says,
        and only once nothing has followed it: of every other digit it says nothing.
Rule 2: with other keys than `*` and `#` in the form, its clear key and its end key stand for them.
"""

from __future__ import annotations

from dataclasses import dataclass

from media.capture.vault import Key


@dataclass(slots=True)
class WishWatch:
    """Those of one capture. `pause`: seconds without a key after which `*0` is one."""

    watches: bool
    pause: float
    _cleared: bool = False  # the newest key was the clear key
    _since: float | None = None  # when the one digit behind it came

    def note_key(self, key: Key, now: float) -> None:
        """A key came."""
        self._since = now if self.watches and self._cleared and key is Key.DIGIT else None
        self._cleared = key is Key.CLEAR

    def deadline(self) -> float | None:
        """When `person_due` becomes true; None: with no time."""
        return None if self._since is None else self._since + self.pause

    def person_due(self, now: float) -> bool:
        """Whether the vault is to be asked now, once."""
        due = self.deadline()
        if due is None or now < due:
            return False
        self._since = None
        return True
