"""What the service needs of a session, whatever relays it: the own core (relayed_session.py) or
an rtpengine server (media/rtpengine/session.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from media._core import SecretMemory
from media.events import LegCounters, MaskTally, SessionId


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """How a customer's keys came since the mask went on. `both`: presses of `events` and of
    `tones`. `tones_taken`: a key that is a tone alone is captured. `doubled`: each key of the
    capture comes twice. `talks`: the customer has talked since the newest."""

    events: int = 0
    tones: int = 0
    both: int = 0
    tones_taken: bool = False
    doubled: bool = False
    talks: bool = False

    @property
    def presses(self) -> int:
        """Presses, in whatever form."""
        return self.events + self.tones - self.both


@dataclass(frozen=True, slots=True)
class MaskSpan:
    """The newest mask of a session: from when to when, in milliseconds since the epoch, of one that
    is on until now; and what it kept, where somebody has counted."""

    since: int
    until: int
    tally: MaskTally | None


FinalCounters = tuple[LegCounters, LegCounters]  # of the caller's and of the agent's leg


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

    def key_figures(self) -> KeyFigures:
        """How the customer's keys came since the mask went on; all zeros where nobody knows."""
        ...

    def mask_span(self) -> MaskSpan:
        """Its newest mask. Raises KeyError, RuntimeError where it is gone."""
        ...

    def set_slow(self, on: bool) -> bool:
        """Join two equal keys that come within 400 ms, while keys are kept; False: that cannot be
        done here."""
        ...

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

    def close(self) -> FinalCounters:
        """Wipe and forget."""
        ...
