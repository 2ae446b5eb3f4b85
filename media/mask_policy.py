"""Names the audio that the agent's side hears of the customer under a mask: the only such type.

Settings read it by value, messages carry it by value, and the core knows it by number. Its order is
that of `enum policy` in media/core/mask/hold.h.
"""

from __future__ import annotations

from enum import StrEnum

BLOCK_SECONDS = 40 / 8000  # the core decides about 40 samples at once


class MaskPolicy(StrEnum):
    """The customer's audio that leaves for the agent's side."""

    MASK = "mask"  # all but keys
    MUTE_ON_KEY = "mute-on-key"  # nothing from the first key until a pause after the last
    MUTE = "mute"  # nothing

    @property
    def number(self) -> int:
        """The core's number."""
        return _NUMBERS[self]


_NUMBERS = {policy: number for number, policy in enumerate(MaskPolicy)}
