"""Describes a payment link: the provider's page on which the customer pays an order, and how the
link reached the company's own service.

Rule 1: everything here may be shown on a screen; to whom a link is sent is not here, and is passed
        on only.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

import msgspec

from provider_adapters.payment import (
    LINK_CLOSED,
    LINK_EXPIRED,
    Approved,
    Failed,
    Outcome,
    PartiallyApproved,
)

MIN_EXPIRES: Final = 300.0  # seconds
MAX_EXPIRES: Final = 7 * 86_400.0


class LinkState(StrEnum):
    """The states of a payment link. The last four are final."""

    OPENING = "opening"  # the provider is to open it; there is no address yet
    OPEN = "open"  # the customer may pay
    CLOSING = "closing"  # an agent has closed it; the provider says whether it was paid before
    PAID = "paid"
    CLOSED = "closed"
    EXPIRED = "expired"
    FAILED = "failed"  # it never opened, or nobody knows what became of it: the outcome says which


class LinkEvent(StrEnum):
    """What moves a payment link on."""

    OPENED = "provider opened it"
    CLOSE_REQUESTED = "agent closes it"
    PAID = "customer paid"
    CLOSED = "provider closed it"
    EXPIRED = "time is over"
    FAILED = "not opened, or not known"


class Recipient(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """To whom the company's own service sends the link."""

    phone: str = ""
    email: str = ""


class HandOver(msgspec.Struct, frozen=True, kw_only=True):
    """How the newest message about a link reached the company's own service. `event`: its type;
    `at`: since when it is so; `reason`: why it was not taken.

    `failing` is tried again; `given_up` is not."""

    event: str
    state: Literal["waiting", "failing", "delivered", "given_up"]
    at: str
    reason: str = ""


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """A payment link. Times are RFC 3339, UTC. `provider`: the name of its section; `reference`:
    the provider's own of the link; `hand_over`: None where no service takes links."""

    state: LinkState = LinkState.OPENING
    url: str = ""
    expires_at: str
    provider: str = ""
    reference: str = ""
    hand_over: HandOver | None = None

    @property
    def is_over(self) -> bool:
        """Whether it takes no payment any more."""
        return self.state in OVER


class LinkOffer(msgspec.Struct, frozen=True, kw_only=True):
    """What can be asked for. `offered`: whether a provider opens links, None while that is not
    known; `hand_over`: whether a service takes them; `expires`: seconds that one is open."""

    offered: bool | None
    hand_over: bool
    expires: float


OVER: Final = frozenset({LinkState.PAID, LinkState.CLOSED, LinkState.EXPIRED, LinkState.FAILED})


def end_of(outcome: Outcome) -> LinkEvent:
    """How a link ends with this outcome."""
    match outcome:
        case Approved() | PartiallyApproved():
            return LinkEvent.PAID
        case Failed(reason=reason) if reason == LINK_CLOSED:
            return LinkEvent.CLOSED
        case Failed(reason=reason) if reason == LINK_EXPIRED:
            return LinkEvent.EXPIRED
        case _:
            return LinkEvent.FAILED
