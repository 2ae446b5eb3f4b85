"""Defines the messages of b2bua and of the webhook process with the reconciler, on its unix
socket.

    b2bua                            reconciler
    | <---------------------- Hello - |  on connection: what the providers can do
    | -- Inquiry -------------------> |  every few seconds: the payments whose outcome is unknown
    | <------------------- Findings - |
    | -- LaterRequest --------------> |  a capture, void, refund, saved charge or link
    | -- LaterInquiry --------------> |  of such a request, after a restart of either
    | <---------------- LaterResult - |  to both, by the number
    | -- Settle --------------------> |  what a person says of a charge or a later request
    | <-------------------- Settled - |

    webhook                          reconciler
    | -- Noticed -------------------> |  what a provider's webhook says
    | <---------------------- Noted - |  it is on disk: the provider need not send it again
    | -- Refused -------------------> |  how many requests it refused; answered by Noted

Rule: no message can hold a digit of a card.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from provider_adapters.notice import Notice
from provider_adapters.payment import Charge, FollowUp, FollowUpOutcome, Link, LinkRequest, Operation, Outcome


class WebhookRefusal(StrEnum):
    """Why a webhook was not taken."""

    BAD_SIGNATURE = "bad_signature"
    STALE = "stale"  # sent again after too long, as a replay is
    UNREADABLE = "unreadable"
    UNKNOWN_PATH = "unknown_path"
    NOT_POST = "not_post"
    NOT_HTTP = "not_http"
    TOO_LARGE = "too_large"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    NOT_KEPT = "not_kept"  # by the reconciler; the provider sends it again


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """What each provider can do, by its name; the first is the default."""

    operations: dict[str, tuple[Operation, ...]]


class Inquiry(msgspec.Struct, frozen=True, kw_only=True, tag="inquiry"):
    """What became of these keys? `now`: ask the provider at once, and about all where none is
    named."""

    keys: tuple[str, ...] = ()
    now: bool = False


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one key. `by`: who found it; `who`: which person. `next_at`: when the
    provider is asked next, in seconds since the epoch; None where nobody asks. `link`: the payment
    link under that key, where one was opened, also after its end."""

    outcome: Outcome | None = None
    by: str = ""
    who: str = ""
    next_at: float | None = None
    link: Link | None = None


class Findings(msgspec.Struct, frozen=True, kw_only=True, tag="findings"):
    """What became of the keys. `unknown`: how many charges are open altogether; `oldest`: when the
    oldest of them was sent; `noticed`: how many events webhooks brought; `contradicted`: how many
    of them contradict what was decided; `circuits`: the state of each provider's circuit breaker,
    by name; `refused`: how many webhooks were refused, by the provider's name and the reason."""

    found: dict[str, Finding] = {}
    unknown: int = 0
    oldest: float | None = None
    noticed: int = 0
    contradicted: int = 0
    circuits: dict[str, str] = {}
    refused: dict[str, dict[WebhookRefusal, int]] = {}


class LaterRequest(msgspec.Struct, frozen=True, kw_only=True, tag="later"):
    """Carry out one of the three. `number` comes back with the result. `provider`: the name of its
    section; empty: who took the payment by the journal, else the first. `saved_from`: the key of
    the payment by which the card of `token` was saved."""

    number: int
    provider: str = ""
    follow_up: FollowUp | None = None
    charge: Charge | None = None
    token: str = ""
    saved_from: str = ""
    link: LinkRequest | None = None


class LinkClosing(msgspec.Struct, frozen=True, kw_only=True, tag="close_link"):
    """Close the payment link under this key. Answered by a LaterResult: what was paid, or Failed as
    `link_closed`; Unknown where the provider does not say, and the link is asked about as
    before."""

    number: int
    key: str
    provider: str = ""


class LaterInquiry(msgspec.Struct, frozen=True, kw_only=True, tag="later_inquiry"):
    """What became of this request? Where it was handed over at `handed_at` (seconds since the
    epoch), got no answer, and was never noted, it is closed, and will never be sent. None: it was
    answered before."""

    number: int
    follow_up: FollowUp
    handed_at: float | None = None
    provider: str = ""


class LaterResult(msgspec.Struct, frozen=True, kw_only=True, tag="result"):
    """What became of a request; None while it is under way. `by`: who found it; `who`: which
    person."""

    number: int
    outcome: FollowUpOutcome | Outcome | Link | None
    by: str = ""
    who: str = ""


class Settle(msgspec.Struct, frozen=True, kw_only=True, tag="settle"):
    """The person `who` says what became of a charge, or of `follow_up` about it. `provider`: as in
    LaterRequest; the journal's own goes before it."""

    number: int
    charge: Charge
    follow_up: FollowUp | None = None
    outcome: FollowUpOutcome | Outcome
    provider: str = ""
    who: str


class Settled(msgspec.Struct, frozen=True, kw_only=True, tag="settled"):
    """What stands of it now, and who found it; `is_new`: by that word of the person's. None: it is
    being sent at this moment, or the journal cannot be written; then nothing was noted."""

    number: int
    is_new: bool = False
    outcome: FollowUpOutcome | Outcome | None = None
    by: str = ""
    who: str = ""


class Noticed(msgspec.Struct, frozen=True, kw_only=True, tag="noticed"):
    """What a provider's webhook says: its signature was found right."""

    notices: tuple[Notice, ...]


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """How many webhooks of a provider were refused since the last such message that was noted."""

    provider: str
    counts: dict[WebhookRefusal, int]


class Noted(msgspec.Struct, frozen=True, kw_only=True, tag="noted"):
    """Whether the notices are on disk, or the counts were added. One answer for each Noticed and
    Refused, in their order."""

    kept: bool


GONE = "reconciler_gone"
"""The reason where the connection was lost: of an `Unknown`, it may have got the request; of a
`Failed`, it never did."""
ToReconciler = Inquiry | LaterRequest | LinkClosing | LaterInquiry | Settle | Noticed | Refused
FromReconciler = Hello | Findings | LaterResult | Settled | Noted
