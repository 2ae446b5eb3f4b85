"""Whether the customer talks: by how the energy of the audio changes. The reference of
`media/core/audio/talk.c`.

Rule 1: speech changes its energy several times a second, by syllables and pauses. Silence, comfort
        noise, the noise of a line and a steady tone do not: of two neighbouring parts of 50 ms one
        has RATIO times the energy of the other, and is louder than FLOOR.
Rule 2: somebody talks where CHANGES of the newest 64 parts (3.2 s) differ so.
Rule 3: a key begins anew, and what the mask blocks because of one, or was lost, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from media.reference.inband import BLOCK

PART = 10  # blocks: 50 ms
FLOOR = 15677  # mean square of a sample: -42 dBm0
RATIO = 4  # 6 dB
CHANGES = 16
_KEPT = (1 << 64) - 1


@dataclass(slots=True)
class Talk:
    """The audio since the newest key."""

    _sum: int = 0
    _blocks: int = 0
    _before: int = 0  # mean square of the part before; 0: none
    _changes: int = 0  # a bit a part

    def hear_block(self, energy: int) -> None:
        """Take a block: the squares of its samples, added up."""
        self._sum += energy
        self._blocks += 1
        if self._blocks < PART:
            return
        mean = self._sum // (PART * BLOCK) + 1
        differs = self._before != 0 and _differs(mean, self._before)
        self._changes = (self._changes << 1 | differs) & _KEPT
        self._sum, self._blocks, self._before = 0, 0, mean

    @property
    def goes_on(self) -> bool:
        """Whether somebody has talked for the newest seconds."""
        return self._changes.bit_count() >= CHANGES


def _differs(one: int, other: int) -> bool:
    louder, fainter = max(one, other), min(one, other)
    return louder >= FLOOR and louder >= RATIO * fainter
