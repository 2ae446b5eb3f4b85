"""Names what of the customer's audio the agent hears while masked, as the core numbers it."""

from __future__ import annotations

from enum import IntEnum

BLOCK_SECONDS = 40 / 8000  # that the core decides about at once: 40 samples


class Policy(IntEnum):
    """What of the customer's audio the agent hears while masked."""

    MASK = 0  # all but keys
    MUTE_ON_KEY = 1  # nothing from the first key until a pause after the last
    MUTE = 2  # nothing
