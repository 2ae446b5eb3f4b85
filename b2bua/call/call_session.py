"""Whether media has the session of a call. From the break of media's connection, or the death of
b2bua, until media has answered the claim it is away.

Rule 1: what has an answer for a leg goes to media all the same, and is refused there. Every other
        command is dropped: the claim says what it would have said, or what it asked for is gone.
Rule 2: a call waits for `PATIENCE` at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from b2bua.call.command import CallCommand, ToMedia
from media.events import AgentKeyed, ClaimSession, OpenSession, SendKey, SetRemote, WidenSession

PATIENCE: Final = 10.0
"""Seconds without media until a call ends. A process that no spare waits for is back within five;
who hears nothing for ten has hung up."""
_PASSED_ON: Final = (ClaimSession, OpenSession, WidenSession, SendKey, AgentKeyed)


@dataclass(slots=True)
class CallSession:
    """The session of one call. `closed`: media has closed it, or is gone. `until`: when the call
    ends without media; None: media has the session, or will not get it. `stale`: a peer has moved
    since the claim."""

    closed: bool = False
    until: float | None = None
    stale: bool = False

    @property
    def away(self) -> bool:
        """Whether no media process is known to have the session, and one is awaited."""
        return self.until is not None

    def deadline(self) -> float | None:
        """When `is_over` is due."""
        return self.until

    def is_over(self, now: float) -> bool:
        """Whether the call has waited for long enough."""
        return self.until is not None and now >= self.until

    def lose(self, now: float) -> None:
        """Media is away. Where it was before it was back, the time goes on."""
        self.until = self.until or now + PATIENCE

    def claim_sent(self) -> None:
        """A claim has been built of what the legs have by now."""
        self.stale = False

    def settle(self) -> bool:
        """Media has the session, or never will. Returns whether a peer has moved since the
        claim."""
        stale, self.until, self.stale = self.stale, None, False
        return stale

    def pass_on(self, commands: Sequence[CallCommand]) -> list[CallCommand]:
        """The commands that are carried out although media is away."""
        if not self.away:
            return list(commands)
        self.stale |= any(
            isinstance(each, ToMedia) and isinstance(each.command, SetRemote) for each in commands
        )
        return [
            each for each in commands if not isinstance(each, ToMedia) or isinstance(each.command, _PASSED_ON)
        ]
