"""What an adapter is: two generators that yield requests, receive responses and return what became
of a charge.

Rule 1: an adapter does no I/O and keeps nothing between two charges; the runner sends, waits and
        gives up.
Rule 2: an adapter yields each request that may move money at most once, marked `may_charge`; it
        never retries.
Rule 3: bodies show nothing of themselves; a response may quote what it was sent.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import msgspec

from provider_adapters.payment import Charge, Outcome

T = TypeVar("T")
CardT_contra = TypeVar("CardT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTPS request. `path` is appended to the account's URL; `body` is sent as JSON."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, object] | None = field(default=None, repr=False)
    may_charge: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """The complete answer to a request."""

    status: int
    body: bytes = field(default=b"", repr=False)

    def read(self, kind: type[T]) -> T | None:
        """The body as `kind`, or None where it is no JSON of that shape."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


Charging = Generator[Request, Response, Outcome]
Inquiry = Generator[Request, Response, Outcome | None]


class Flow(Protocol[CardT_contra]):
    """One provider's way of charging. `CardT_contra` is `card.Card`, which this module has no need
    to know."""

    def charge(self, charge: Charge, card: CardT_contra) -> Charging:
        """Charge the card. Returns Unknown where the answer leaves it open; the runner then
        inquires."""
        ...

    def inquire(self, charge: Charge) -> Inquiry:
        """Ask what became of the charge's idempotency key. Returns None where the provider cannot
        say yet.

        Failed only where the provider promises that nothing was charged, nor will be.
        """
        ...
