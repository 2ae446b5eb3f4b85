"""Bodies of requests.

Rule 1: made from b2bua/api/openapi.json by `make docs`, and not changed by hand."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class AskBody(TypedDict):
    """The field that the customer is to key now."""

    field: NotRequired[str | None]


class CaptureBody(TypedDict):
    """An order, and the form that the customer keys, which says what becomes of it."""

    transaction_id: str
    operation: NotRequired[Literal["charge", "authorise", "verify", "deliver"] | None]
    amount: NotRequired[int]
    currency: NotRequired[str]
    description: NotRequired[str]
    token_type: NotRequired[Literal["none", "one_time", "reusable"] | None]
    customer: NotRequired[str]
    merchant_account: NotRequired[str]
    statement: NotRequired[str]
    metadata: NotRequired[dict[str, str]]
    allow_repeat: NotRequired[bool]
    form: NotRequired[str]
    country: NotRequired[str]


class ClaimBody(TypedDict):
    """What is prepared for the call."""

    order: NotRequired[CaptureBody | None]


class EmbedTokenBody(TypedDict):
    """For whom a token is, for which call and for how long."""

    agent: str
    call: NotRequired[str]
    expires_in: NotRequired[int]


class ErasureBody(TypedDict):
    """Whose number is to be erased."""

    numbers: list[str]
    dry_run: NotRequired[bool]


class FindByBody(TypedDict):
    """How the call of a prepared payment is found."""

    caller: NotRequired[str]
    callee: NotRequired[str]
    reference: NotRequired[str]
    extension: NotRequired[str]
    agent: NotRequired[str]
    call_id: NotRequired[str]
    code: NotRequired[str]


class FollowUpBody(TypedDict):
    """How much of a payment to capture or refund."""

    amount: NotRequired[int | None]


class LinkBody(TypedDict):
    """An order that is paid by a link."""

    transaction_id: str
    operation: NotRequired[Literal["charge", "authorise", "verify"]]
    amount: int
    currency: str
    description: NotRequired[str]
    token_type: NotRequired[Literal["none", "one_time", "reusable"] | None]
    customer: NotRequired[str]
    merchant_account: NotRequired[str]
    statement: NotRequired[str]
    metadata: NotRequired[dict[str, str]]
    allow_repeat: NotRequired[bool]
    to: NotRequired[RecipientBody]
    expires_in: NotRequired[float | None]
    provider: NotRequired[str]


class LogLevelBody(TypedDict):
    """`level`: of the log from now on; null: that of sip.conf again."""

    level: Literal["debug", "info", "warning", "error"] | None
    module: NotRequired[str]
    seconds: NotRequired[int]


class PasswordBody(TypedDict):
    """A change of one's password."""

    password: str
    new_password: str


class PersonBody(TypedDict):
    """A person, by telephone number."""

    numbers: list[str]


class PreparedBody(TypedDict):
    """An order whose call is not there yet."""

    transaction_id: str
    operation: NotRequired[Literal["charge", "authorise", "verify", "deliver"] | None]
    amount: NotRequired[int]
    currency: NotRequired[str]
    description: NotRequired[str]
    token_type: NotRequired[Literal["none", "one_time", "reusable"] | None]
    customer: NotRequired[str]
    merchant_account: NotRequired[str]
    statement: NotRequired[str]
    metadata: NotRequired[dict[str, str]]
    allow_repeat: NotRequired[bool]
    form: NotRequired[str]
    country: NotRequired[str]
    find_by: FindByBody
    start: NotRequired[Literal["press", "at_answer"]]
    expires_in: NotRequired[float]


class ReceiptBody(TypedDict):
    """To whom a receipt is sent."""

    to: str


class RecipientBody(TypedDict):
    """To whom your own service sends a link."""

    phone: NotRequired[str]
    email: NotRequired[str]


class ReconcileBody(TypedDict):
    """The payments to ask about."""

    payments: NotRequired[list[str]]


class RecordingBody(TypedDict):
    """How long and how large a recording may become."""

    seconds: NotRequired[int]
    megabytes: NotRequired[int]


class ResetBody(TypedDict):
    """The field that the customer is to key again."""

    field: NotRequired[str | None]


class SavedChargeBody(TypedDict):
    """An order, and the saved card that it is charged to."""

    transaction_id: str
    operation: NotRequired[Literal["charge", "authorise", "verify"]]
    amount: int
    currency: str
    description: NotRequired[str]
    token_type: NotRequired[Literal["none", "one_time", "reusable"] | None]
    customer: NotRequired[str]
    merchant_account: NotRequired[str]
    statement: NotRequired[str]
    metadata: NotRequired[dict[str, str]]
    allow_repeat: NotRequired[bool]
    saved_from: NotRequired[str]
    token: NotRequired[str]
    provider: NotRequired[str]


class SettlementBody(TypedDict):
    """What the provider's own tools show of a payment."""

    follow_up: NotRequired[str]
    outcome: Literal["approved", "declined", "failed"]
    amount: NotRequired[int | None]
    reference: NotRequired[str]


class SignInBody(TypedDict):
    """What somebody types."""

    name: str
    password: str
    code: NotRequired[str]
    new_password: NotRequired[str]


class SkipBody(TypedDict):
    """The field that is not needed."""

    field: str


class SlowBody(TypedDict):
    """Whether equal keys are joined."""

    on: NotRequired[bool]


class SubmitBody(TypedDict):
    """Options of a charge."""

    allow_repeat: NotRequired[bool]
