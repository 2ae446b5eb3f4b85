"""Other answers of the API.

Rule 1: made from b2bua/api/openapi.json by `make docs`, and not changed by hand."""

from __future__ import annotations

from typing import Literal, TypedDict

from tonewall.client.statistics_views import HopView

Hours = Literal[1, 6, 24]


class ServiceView(TypedDict):
    """Whether this Tonewall is well; the feed tells it when it changes."""

    faults: list[Fault]


class Fault(TypedDict):
    """What is wrong with this Tonewall now."""

    what: str
    says: str
    stops: Stops | None


Stops = Literal["calls", "payments", "records"]


class TrunkView(TypedDict):
    """One trunk."""

    name: str
    kind: str
    calls: int
    refused: int
    hops: list[HopView]
    calls_elsewhere: int
    registration: str | None


class LinkOffer(TypedDict):
    """What can be asked for."""

    offered: bool | None
    hand_over: bool
    expires: float


class ClaimView(TypedDict):
    """A claim, as its own agent sees it."""

    id: str
    code: str
    expires_in: float
    call: str


class Erasure(TypedDict):
    """What was erased, or would be (`dry_run`): how many of each kind."""

    dry_run: bool
    erased: dict[str, int]
    left: list[Left]
    kept: list[str]


class Left(TypedDict):
    """Where the number still is: how often, and why."""

    what: str
    count: int
    why: str


class LadderSummary(TypedDict):
    """A call whose ladder is kept."""

    id: str
    live: bool
    direction: str
    caller: str
    callee: str
    started_at: str
    messages: int


class LadderView(TypedDict):
    """A ladder: the legs and entries of a call, in order."""

    id: str
    live: bool
    direction: str
    caller: str
    callee: str
    started_at: str
    legs: list[LegView]
    entries: list[MessageView | NoteView | GapView]


class LegView(TypedDict):
    """`number`: counted from 0, in the order of their INVITEs."""

    number: int
    side: str
    trunk: str


class MessageView(TypedDict):
    """`at`."""

    type: Literal["message"]
    at: str
    after: float
    leg: int
    direction: Literal["received", "sent"]
    method: str
    code: int | None
    phrase: str
    cseq: int
    transport: str
    peer: str
    sdp: list[Media]
    repeats: int
    masked: bool


class Media(TypedDict):
    """One m-line."""

    kind: str
    protocol: str
    codecs: list[str]
    direction: str
    off: bool


class NoteView(TypedDict):
    """An event between messages."""

    type: Literal["event"]
    at: str
    after: float
    what: str
    leg: int | None
    peer: str | None
    masked: bool


class GapView(TypedDict):
    """A gap."""

    type: Literal["gap"]
    left_out: int


class FormDescription(TypedDict):
    """A form; `fields` in the order in which they are keyed, each second entry behind its
    first."""

    name: str
    fields: list[FieldDescription]
    end_key: str
    clear_key: str
    brands: list[str]
    result: Literal["charge", "deliver", "token", "verify"]


class FieldDescription(TypedDict):
    """One field; `field` is the key of its words, too."""

    field: str
    kind: Literal[
        "card_number",
        "date",
        "digits",
        "expiry",
        "iban",
        "nrb",
        "routing_number",
        "secret",
        "security_code",
        "sort_code",
        "uk_account",
    ]
    label: str
    min_length: int
    max_length: int
    usual_length: int
    usual_length_by_brand: dict[str, int]
    usual_length_by_country: dict[str, int]
    group: int
    groups_by_brand: dict[str, list[int]]
    last_shown: int
    optional: bool
    confirms: str
    countries: list[str]
    date_format: str


class WebhookView(TypedDict):
    """A service that gets webhooks."""

    name: str
    host: str
    events: list[str]
    public_key: str
    waiting: int
    oldest_waiting: int
    failed: int
    reason: str


class DeliveryView(TypedDict):
    """An event on its way to one service, or at its end."""

    id: str
    event: str
    webhook: str
    type: str
    subject: str
    state: Literal["delivered", "failed", "waiting"]
    attempts: int
    created_at: str
    tried_at: str | None
    next_at: str | None
    reason: str


class ReceiptView(TypedDict):
    """A receipt on its way to the services that send it."""

    deliveries: list[str]


class AgentView(TypedDict):
    """Who asks."""

    agent: str
    roles: list[str]
    scopes: list[str]
    method: str
    idle_time: float
    short_codes: bool
    receipts: bool


class HealthView(TypedDict):
    """The health of this Tonewall, beside numbers that are counted (docs/operations.md)."""

    status: str
    faults: list[Fault]


class LivenessView(TypedDict):
    """The process answers."""

    alive: bool


class ReadinessView(TypedDict):
    """Whether calls are accepted."""

    ready: bool
    reasons: list[str]


class SignedInView(TypedDict):
    """Who has signed in."""

    agent: str
    roles: list[str]


class SignInView(TypedDict):
    """Ways to sign in."""

    token: bool
    password: bool
    oidc: str | None


class LogLevelView(TypedDict):
    """How it is logged."""

    configured: str
    level: str | None
    module: str
    seconds: int


class EmbedTokenView(TypedDict):
    """A token for an embedded form."""

    token: str
    id: str
    agent: str
    call: str
    expires_at: str
