"""What can go wrong between us and a provider, drawn by the one question that matters: can money
have moved?

    ProviderError
    ├── NotSent              not a byte of the request left: certainly not charged
    │   ├── Unreachable      no address, no connection, no connection in time
    │   ├── Untrusted        TLS refused: certificate, host name, version
    │   └── NotNoted         the journal could not be written
    └── MaybeSent            some of the request left: it may have been charged
        ├── TimedOut         no answer, or not all of it, in time
        ├── ConnectionLost   closed or broken before the answer was complete
        ├── StillOpen        an earlier one may have been carried out; this one was refused
        └── AnswerTooLarge   more than we are willing to read

Rule: `reason` is one of our own words, never a text from the other side; there is no other content.
"""

from __future__ import annotations


class ProviderError(Exception):
    """Base of all of them. `reason` is fit for a log and for the agent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotSent(ProviderError):
    """Certainly not charged."""


class Unreachable(NotSent):
    """There was no connection to send on."""


class Untrusted(NotSent):
    """There was a connection, but not to whom the certificate must name."""


class NotNoted(NotSent):
    """The request was to be written to the journal first, and that failed."""


class MaybeSent(ProviderError):
    """May have been charged."""


class TimedOut(MaybeSent):
    """No complete answer in time."""


class ConnectionLost(MaybeSent):
    """The connection ended before the answer did."""


class StillOpen(MaybeSent):
    """A repetition was refused at the door, which says nothing of what it repeats."""


class AnswerTooLarge(MaybeSent):
    """The answer is longer than `runner.LARGEST_ANSWER`."""
