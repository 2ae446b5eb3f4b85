"""Keeps the books of a provider that is played here: what each test card does, which keys were
charged, and what was done later.

Rule 1: a key is entered before anything else happens to the charge, so that an inquiry never misses
        one under way.
Rule 2: `charges` counts how often money moved under a key: a test that finds 2 has found a double.
Rule 3: of a card the books keep the last four digits and a SHA-256 of number, MMYY and code. That
        hash is no protection; it is for tests that must know whether the digits arrived complete
        and in order. A saved card stays in memory whole, as it does at any provider.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from tonewall.log import get_logger

API_KEY = "local-test-key"
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one card number does. `answer`: how the request ends, "clear", "late", "error" (500),
    "cut" (half an answer) or "none" (closed without an answer); `approves`: "all", "half" of the
    amount, "another currency", or "more" than the amount."""

    name: str
    charged: bool
    answer: str = "clear"
    reason: str = ""
    message: str = ""
    approves: str = "all"


# Well-known test numbers first; the others are ours. All pass the Luhn check.
BEHAVIOURS: Mapping[str, Behaviour] = MappingProxyType(
    {
        "4111111111111111": Behaviour("approved", True),
        "5555555555554444": Behaviour("approved", True),
        "378282246310005": Behaviour("approved", True),
        "4000000000000002": Behaviour(
            "declined", False, reason="do_not_honour", message="The card was declined."
        ),
        "4000000000009995": Behaviour(
            "insufficient_funds",
            False,
            reason="insufficient_funds",
            message="There is not enough money on the account.",
        ),
        "4000000000000119": Behaviour("error_not_charged", False, "error"),
        "4000000000010019": Behaviour("late_charged", True, "late"),
        "4000000000010027": Behaviour("error_charged", True, "error"),
        "4000000000010035": Behaviour("cut_charged", True, "cut"),
        "4000000000010043": Behaviour("closed_not_charged", False, "none"),
        "4000000000010050": Behaviour("closed_charged", True, "none"),
        "4000000000010068": Behaviour("declined_quoting", False, reason="invalid_number", message="quote"),
        "4000000000010076": Behaviour("partial", True, approves="half"),
        "4000000000010084": Behaviour("other_currency", True, approves="another currency"),
        "4000000000010092": Behaviour("too_much", True, approves="more"),
    }
)
_OTHERWISE = Behaviour("approved", True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A charge as it arrived, whatever the provider calls its parts. `expiry`: MMYY. `reference`:
    the provider's own, where it is older than the charge. `beside`: what else it says, of the
    merchant for example."""

    key: str
    transaction_id: str
    amount: int
    currency: str
    number: str = field(repr=False)
    expiry: str = field(default="", repr=False)
    code: str = field(default="", repr=False)
    operation: Literal["charge", "authorise", "verify"] = "charge"
    saves: str = "none"
    reference: str = ""
    beside: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Record:
    """One idempotency key. `state` is decided when the charge is; `charges` counts how often money
    moved. `approved` and `approved_currency`: what of the order. The moves are later ones, by their
    own keys."""

    transaction_id: str
    amount: int
    currency: str
    last_four: str
    digits_sha256: str
    behaviour: str
    operation: str = "charge"
    charges: int = 0
    state: Literal["pending", "approved", "declined"] = "pending"
    reference: str = ""
    approved: int = 0
    approved_currency: str = ""
    reason: str = ""
    message: str = field(default="", repr=False)
    token: str = ""
    captured: int = 0
    refunded: int = 0
    voided: bool = False
    beside: Mapping[str, object] = field(default_factory=dict)
    moves: dict[str, Move] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Move:
    """A capture, void or refund."""

    kind: str
    amount: int
    reference: str


@dataclass(slots=True, kw_only=True)
class HostedLink:
    """A payment link with a page of its own. `key`: our idempotency key; `expires_at`: seconds
    since the epoch, infinite where it ends only when it is closed. `visits`: "open", "complete" or
    "expired", by their ids; `visits_outlive`: a page that a customer has open can be paid after the
    link is closed. `paid`: the references of what was paid; `failed`: how many other tries there
    were; `limit`: how often it can be paid; `takes_parts`: another amount or currency than was
    asked for can be paid; `prefix`: of the references. `asked`: the request."""

    id: str
    url: str
    key: str
    transaction_id: str
    amount: int
    currency: str
    description: str = ""
    operation: Literal["charge", "authorise"] = "charge"
    expires_at: float = math.inf
    is_closed: bool = False
    is_deleted: bool = False
    is_busy: bool = False
    failed: int = 0
    visits: dict[str, str] = field(default_factory=dict)
    visits_outlive: bool = False
    paid: list[str] = field(default_factory=list)
    limit: int = 1
    takes_parts: bool = True
    prefix: str = "pay"
    asked: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a status and a body, or a page in its stead. `cut`: only half of it. None
    instead of an Answer: nothing at all."""

    status: int
    body: Mapping[str, object] | Sequence[Mapping[str, object]]
    cut: bool = False
    page: str = ""


class KeyOfAnother(Exception):
    """The key came with another order before."""


class InProgress(Exception):
    """The key is being charged."""


class NotAllowed(Exception):
    """A later move that the state of the charge does not allow."""


class Books:
    """Which keys were charged, and what was done with them. `delay`: seconds that a late card
    takes."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._records: dict[str, Record] = {}
        self._saved: dict[str, Order] = {}
        self.requests = 0
        """How many charges arrived, of whichever key."""
        self._working: set[asyncio.Task[None]] = set()
        self.links: dict[str, HostedLink] = {}
        """The payment links by their ids."""

    async def charge(self, order: Order, *, again: bool = False) -> tuple[Record, Behaviour]:
        """Carry out the order, or find what an earlier request under its key came to. A charge that
        takes long goes on when the client has left. `again`: the provider has no keys, and carries
        it out once more. Raises KeyOfAnother, InProgress."""
        self.requests += 1
        record = self._records.get(order.key)
        before = 0 if record is None else record.charges
        if record is not None and not again:
            if (record.amount, record.transaction_id) != (order.amount, order.transaction_id):
                raise KeyOfAnother
            if record.state == "pending":
                raise InProgress
            return record, Behaviour(record.behaviour, record.state == "approved")
        behaviour = find_behaviour(order.number)
        record = self._records[order.key] = _record(order, behaviour)
        record.charges = before
        work = asyncio.create_task(self._decide(record, order, behaviour))
        self._working.add(work)
        work.add_done_callback(self._working.discard)
        await asyncio.shield(work)
        log.info("charge", outcome=behaviour.name, payment=order.key)
        return record, behaviour

    def transmit(self, key: str, behaviour: Behaviour, answer: Answer, error: Answer) -> Answer | None:
        """What goes back of a charge's answer, by its card: the answer, half of it, the error, or
        nothing. What failed without a charge is forgotten, so that nothing stands under the key."""
        if behaviour.answer in ("error", "none") and not behaviour.charged:
            del self._records[key]
        if behaviour.answer == "error":
            return error
        if behaviour.answer == "none":
            return None
        return Answer(answer.status, answer.body, cut=behaviour.answer == "cut")

    def find(self, key: str) -> Record | None:
        """What stands under a key."""
        return self._records.get(key)

    def find_reference(self, reference: str) -> tuple[str, Record] | None:
        """The key and record of a charge by the provider's own reference."""
        return next(((key, each) for key, each in self._records.items() if each.reference == reference), None)

    def saved(self, token: str) -> Order | None:
        """The order with whose card this token was made."""
        return self._saved.get(token)

    def move(self, record: Record, kind: str, key: str, amount: int) -> Move:
        """Capture, void or refund, once per key. Raises NotAllowed."""
        if key in record.moves:
            return record.moves[key]
        settled = record.captured if record.operation == "authorise" else record.approved
        allowed = {
            "capture": record.operation == "authorise" and amount <= record.approved - record.captured,
            "void": record.refunded == 0 and record.captured == 0,
            "refund": amount <= settled - record.refunded,
        }[kind]
        if record.state != "approved" or record.voided or not allowed:
            raise NotAllowed(kind)
        if kind == "void":
            record.voided = True
        elif kind == "capture":
            record.captured += amount
        else:
            record.refunded += amount
        made = record.moves[key] = Move(kind, amount, _reference("mv", key))
        log.info("move", outcome=kind, payment=key)
        return made

    async def _decide(self, record: Record, order: Order, behaviour: Behaviour) -> None:
        if behaviour.answer == "late":
            await asyncio.sleep(self._delay)
        if not behaviour.charged:
            number, code = order.number, order.code
            quote = f"Not valid: {number[:4]} {number[4:8]} {number[8:12]} {number[12:]}, code {code}."
            record.reason = behaviour.reason
            record.message = quote if behaviour.message == "quote" else behaviour.message
            record.state = "declined"
            return
        record.charges += 1
        changed = {"half": order.amount // 2, "more": order.amount + 1}
        record.approved = changed.get(behaviour.approves, order.amount)
        other = "USD" if order.currency != "USD" else "EUR"
        record.approved_currency = other if behaviour.approves == "another currency" else order.currency
        if order.saves != "none":
            record.token = f"tok_{order.saves}_{record.digits_sha256[:12]}"
            self._saved[record.token] = order
        record.state = "approved"

    def report(self) -> dict[str, object]:
        """What was asked and charged, for tests."""
        fields = (
            "transaction_id", "amount", "currency", "last_four", "digits_sha256", "behaviour", "operation",
            "charges", "state", "reference", "approved", "captured", "refunded", "voided", "token",
            "beside",
        )  # fmt: skip
        return {
            "requests": self.requests,
            "charges": sum(record.charges for record in self._records.values()),
            "records": [
                {"idempotency_key": key, "moves": len(record.moves)}
                | {name: getattr(record, name) for name in fields}
                for key, record in self._records.items()
            ],
        }


def find_behaviour(number: str) -> Behaviour:
    """What this card does."""
    return BEHAVIOURS.get(number, _OTHERWISE)


def _record(order: Order, behaviour: Behaviour) -> Record:
    return Record(
        transaction_id=order.transaction_id,
        amount=order.amount,
        currency=order.currency,
        last_four=order.number[-4:],
        digits_sha256=hashlib.sha256(f"{order.number}{order.expiry}{order.code}".encode()).hexdigest(),
        behaviour=behaviour.name,
        operation=order.operation,
        reference=order.reference or _reference("ch", order.key),
        beside=order.beside,
    )


def _reference(kind: str, key: str) -> str:
    """Sixteen signs and a kind: as long as those of real providers."""
    return f"{kind}_{hashlib.sha256(key.encode()).hexdigest()[:16]}"
