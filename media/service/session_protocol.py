"""What the service needs of a session, whatever relays it: the own core (relayed_session.py) or
an rtpengine server (media/rtpengine/session.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from media._core import SecretMemory
from media.events import LegCounters, SessionId


class SessionProtocol(Protocol):
    """One session. Its `streams` are the numbers under which keys are announced; `masked`: it is
    masked, or may be; `mask_confirmed`: it certainly is."""

    id: SessionId
    masked: bool
    mask_confirmed: bool

    @property
    def streams(self) -> Sequence[int]:
        """Its streams in the core, by number; none where the engine is another."""

    def capture(self, on: bool) -> None:
        """Keep the customer's key presses, or stop and wipe them. Raises OSError, ValueError."""

    def is_quiet(self, seconds: float) -> bool:
        """Whether no key of the customer's has come under the mask for so long, as an event or a
        tone."""
        ...

    def take_digits(self, stream: int, into: SecretMemory, offset: int) -> int:
        """Move the keys kept to `into[offset:]`; how many."""
        ...

    def count_packets(self) -> int:
        """Packets so far: the same as before means that the session is silent."""
        ...

    def close(self) -> tuple[LegCounters, LegCounters]:
        """Wipe and forget; the final counters of the caller's and the agent's leg."""
        ...
