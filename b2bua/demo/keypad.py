"""The keys of a telephone: which is pressed next, and when.

Rule 1: the packets that have left tell the time: a clock would not on a busy machine.
Rule 2: a key leaves here only to be pressed; all else is counts.
"""

from __future__ import annotations

from collections import deque

# PJMEDIA's RFC 4733 event, fixed when it was compiled: 10 packets for 1,600 samples, then its end
# twice more; and one packet that may be under way when a key is pressed.
_EVENT_PACKETS = 13


class Keypad:
    """Presses its keys one after another. `pressed`: how many it has pressed, ever."""

    def __init__(self) -> None:
        self._keys: deque[str] = deque()
        self._keying = 0
        self._gap = self._press_at = self._seen = 0
        self.pressed = 0

    @property
    def busy(self) -> bool:
        return self._keying > 0

    def press(self, keys: str, gap: int) -> None:
        """Press these after those that wait; `gap`: packets of speech between two."""
        self._keys.extend(keys)
        self._keying += len(keys)
        self._gap = gap

    def due(self, sent: int) -> str | None:
        """The key to press now that so many packets were sent, if any."""
        if not self._over(sent) or not self._keys:
            return None
        self.pressed += 1
        self._press_at = sent + _EVENT_PACKETS + self._gap
        return self._keys.popleft()

    def done(self, sent: int) -> int:
        """How many keys have left, once all have; else 0."""
        if self._keys or not self._over(sent):
            return 0
        count, self._keying = self._keying, 0
        return count

    def clear(self) -> None:
        """The call is over."""
        self._keys.clear()
        self._keying = self._press_at = self._seen = 0

    def _over(self, sent: int) -> bool:
        """Whether the last key has left."""
        if sent < self._seen:  # a re-INVITE began to count anew
            self._press_at = sent + _EVENT_PACKETS
        self._seen = sent
        return sent >= self._press_at
