"""What an adapter is: two generators that yield requests, receive responses and return what became
of a charge.

Rule 1: an adapter does no I/O and keeps nothing between two charges; the runner sends, waits and
        gives up.
Rule 2: an adapter yields each request that may move money at most once, marked `may_charge`; it
        never retries. The runner repeats one only where the provider promises that its key makes
        that safe (`repeatable`).
Rule 3: bodies show nothing of themselves; a response may quote what it was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeVar

import msgspec

from provider_adapters.payment import (
    Charge,
    FollowUp,
    FollowUpOutcome,
    Link,
    LinkOutcome,
    LinkRequest,
    Operation,
    Outcome,
)

T = TypeVar("T")
KeyedT_contra = TypeVar("KeyedT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTPS request. `path` is appended to the account's URL.

    `body` is sent as JSON, or as a form with names such as `card[number]` where `is_form` is set;
    octets are sent as they are, as `media_type`.
    `may_charge`: money may move by it. `repeatable`: the provider promises that the same request
    under the same key charges once. `step` and `notes` are written to the journal before a byte
    leaves: which request it is, and what an inquiry has to know from here on; no card data.
    `sign`: more headers, by the octets of the body and the time of sending (seconds since the
    epoch), where a provider wants a signature.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, object] | bytes | None = field(default=None, repr=False)
    is_form: bool = False
    media_type: str = "application/json"
    may_charge: bool = False
    repeatable: bool = False
    step: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    sign: Callable[[bytes, float], Mapping[str, str]] | None = field(default=None, repr=False)

    def all_headers(self, body: bytes, now: float) -> dict[str, str]:
        """The headers of the request when it is sent now (seconds since the epoch) with these
        octets."""
        return dict(self.headers) | (dict(self.sign(body, now)) if self.sign else {})


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


@dataclass(frozen=True, slots=True)
class NotFound:
    """The provider holds no such charge now. A request may still be on its way to it."""


Notes = Mapping[str, str]
Charging = Generator[Request, Response, Outcome]
Inquiry = Generator[Request, Response, Outcome | NotFound | None]
FollowingUp = Generator[Request, Response, FollowUpOutcome]
Examination = Generator[Request, Response, str | None]
LinkOpening = Generator[Request, Response, LinkOutcome]
LinkInquiry = Generator[Request, Response, Outcome | Link | None]


class Flow(Protocol[KeyedT_contra]):
    """One provider's way of charging. `KeyedT_contra` is `card.Card`, or `keyed.KeyedFields` where
    it delivers a form; this module has no need to know them.

    `OPERATIONS` are those that it can do. `ABSENT_AFTER`: seconds after the sending from which on
    `NotFound` is certain, because no request is under way so long; None where it never is.
    `PROVES`: what is proven by an examination that finds nothing wrong, in words.
    """

    OPERATIONS: ClassVar[frozenset[Operation]]
    ABSENT_AFTER: ClassVar[float | None]
    PROVES: ClassVar[str]

    def charge(self, charge: Charge, card: KeyedT_contra, /) -> Charging:
        """Charge the card, or deliver the fields. Returns Unknown where the answer leaves it open;
        the runner then inquires."""
        ...

    def inquire(self, charge: Charge, notes: Notes) -> Inquiry:
        """Ask what became of the charge. `notes`: those of its last request. Returns None where the
        provider cannot say yet.

        Failed only where the provider promises that nothing was charged, nor will be.
        """
        ...

    def charge_saved(self, charge: Charge, token: str) -> Charging:
        """Charge a card that the provider saved under a token. No card data is at hand."""
        ...

    def follow_up(self, request: FollowUp) -> FollowingUp:
        """Capture, void or refund what was charged."""
        ...

    def examine(self) -> Examination:
        """Ask for something that moves no money; what is wrong with the account by the answer, as a
        word of `reasons.REASONS`. None only for an answer in the provider's own shape that a wrong
        key does not get: a proxy, or another service, answers 200 and 404 as well."""
        ...


class LinkFlow(Protocol):
    """One provider's way of making payment links, for those whose `OPERATIONS` hold
    `Operation.LINK`.

    `LINK_GRACE`: seconds after a link's expiry in which what was begun before may still be paid.
    """

    LINK_GRACE: ClassVar[float]

    def open_link(self, request: LinkRequest) -> LinkOpening:
        """Open a link that can be paid once. The same request opens the same link: `repeatable`."""
        ...

    def inquire_link(self, charge: Charge, link: Link) -> LinkInquiry:
        """Ask what became of a link: what was paid; the link, while it can be paid; Failed as
        `link_closed` where it cannot be any more. None where the provider cannot say."""
        ...

    def close_link(self, charge: Charge, link: Link) -> LinkInquiry:
        """Close a link, and ask. The link or None where it may still be paid."""
        ...
