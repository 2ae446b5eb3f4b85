"""Times the keys of a telephone.

Rule 1: packets that were sent are the clock: a machine that is busy sends late.
Rule 2: a key leaves here only to be pressed; everything else is a count.
"""

from __future__ import annotations

from collections import deque

# PJMEDIA's RFC 4733 event, fixed when it was compiled: 10 packets for 1,600 samples, then its end
# twice more; and one packet that may be under way when a key is pressed.
_EVENT_PACKETS = 13


class Keypad:
    """Presses its keys one after another. `pressed`: the number of keys pressed so far."""

    def __init__(self) -> None:
        self._keys: deque[str] = deque()
        self._keying = 0
        self._gap = self._press_at = self._seen = 0
        self.pressed = 0

    @property
    def busy(self) -> bool:
        """Whether keys wait, or have just been pressed."""
        return self._keying > 0

    def press_keys(self, keys: str, gap: int) -> None:
        """Press these keys after those that wait. `gap`: packets of speech between two."""
        self._keys.extend(keys)
        self._keying += len(keys)
        self._gap = gap

    def key_due(self, sent: int) -> str | None:
        """The key to press once `sent` packets were sent, or None."""
        if not self._last_key_sent(sent) or not self._keys:
            return None
        self.pressed += 1
        self._press_at = sent + _EVENT_PACKETS + self._gap
        return self._keys.popleft()

    def keys_done(self, sent: int) -> int:
        """The number of keys of the last `press_keys`, once all were sent; until then 0."""
        if self._keys or not self._last_key_sent(sent):
            return 0
        count, self._keying = self._keying, 0
        return count

    def clear_keys(self) -> None:
        """Forget the keys of a call that is over."""
        self._keys.clear()
        self._keying = self._press_at = self._seen = 0

    def _last_key_sent(self, sent: int) -> bool:
        """Whether the last key was sent."""
        if sent < self._seen:  # a re-INVITE began to count anew
            self._press_at = sent + _EVENT_PACKETS
        self._seen = sent
        return sent >= self._press_at
