"""The local provider's books: what each test card does, which keys were charged, and what an
inquiry is told.

Rule 1: a key is entered before anything else happens to the charge, so that an inquiry never misses
        one under way.
Rule 2: a key of which an inquiry was told `no_such_charge` is closed: a charge that arrives later
        is refused.
Rule 3: of a card the books keep the last four digits and a SHA-256 of number, MMYY and code. That
        hash is no protection; it is for tests that must know whether the digits arrived complete
        and in order.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec

from tonewall.log import get_logger

API_KEY = "local-test-key"
log = get_logger(__name__)


class _Card(msgspec.Struct):
    number: str
    expiry_month: int
    expiry_year: int
    security_code: str | None = None


class _Body(msgspec.Struct):
    transaction_id: str
    amount: int
    currency: str
    card: _Card
    channel: str
    entry: str
    token_type: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one card number does. `answer`: how the POST ends, when it is charged or not;
    `approves`: what of the order."""

    name: str
    charged: bool
    # "clear", "late", "error" (500), "cut" (half an answer), "none" (closed without an answer).
    answer: str = "clear"
    reason: str = ""
    message: str = ""
    approves: str = "all"  # "half" of the amount, "another currency", "more" than the amount


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


@dataclass(slots=True)
class Record:
    """One idempotency key. `answer` is set when the charge is decided; `charges` counts how often
    money moved."""

    transaction_id: str
    amount: int
    currency: str
    last_four: str
    digits_sha256: str
    behaviour: str
    charges: int = 0
    answer: dict[str, object] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a status and a body. `cut`: only half of it. None instead of an Answer:
    nothing at all."""

    status: int
    body: Mapping[str, object]
    cut: bool = False


class Provider:
    """The books: which keys were charged, and which were closed by an inquiry that found
    nothing."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._records: dict[str, Record] = {}
        self._closed: set[str] = set()
        self._requests = 0
        self._working: set[asyncio.Task[None]] = set()

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """One request. Charges that take long go on when the client has left."""
        if path == "/test/charges" and method == "GET":
            return Answer(200, self._report())
        if headers.get("authorization") != f"Bearer {API_KEY}":
            return Answer(401, {"error": "unauthorised"})
        if path == "/v1/charges" and method == "POST":
            self._requests += 1
            return await self._charge(headers.get("idempotency-key", ""), body)
        if path.startswith("/v1/charges/") and method == "GET":
            return self._inquire(path.removeprefix("/v1/charges/"))
        return Answer(404, {"error": "no_such_path"})

    async def _charge(self, key: str, body: bytes) -> Answer | None:
        try:
            order = msgspec.json.decode(body, type=_Body)
        except msgspec.DecodeError:
            return Answer(400, {"error": "bad_request"})
        if not key or not order.card.number.isdecimal():
            return Answer(400, {"error": "bad_request"})
        if key in self._closed:
            return Answer(410, {"error": "key_closed"})
        if key in self._records:
            record = self._records[key]
            if (record.amount, record.transaction_id) != (order.amount, order.transaction_id):
                return Answer(422, {"error": "key_of_another_charge"})
            return _answer(record.answer) if record.answer else Answer(409, {"error": "in_progress"})
        behaviour = BEHAVIOURS.get(order.card.number, _OTHERWISE)
        record = self._records[key] = _record(order, behaviour)
        work = asyncio.create_task(self._decide(record, order, behaviour))
        self._working.add(work)
        work.add_done_callback(self._working.discard)
        await asyncio.shield(work)
        log.info("charge", outcome=behaviour.name, idempotency_key=key)
        if behaviour.answer == "error":
            if not behaviour.charged:
                del self._records[key]
            return Answer(500, {"error": "internal_error"})
        if behaviour.answer == "none":
            if not behaviour.charged:
                del self._records[key]
            return None
        answer = _answer(record.answer or {})
        return Answer(answer.status, answer.body, cut=behaviour.answer == "cut")

    async def _decide(self, record: Record, order: _Body, behaviour: Behaviour) -> None:
        if behaviour.answer == "late":
            await asyncio.sleep(self._delay)
        reference = "ch_" + hashlib.sha256(record.transaction_id.encode()).hexdigest()[:16]
        if behaviour.charged:
            record.charges += 1
            record.answer = {"status": "approved", "reference": reference, "authorisation_code": "A0B1C2"}
            record.answer |= _approved(order, behaviour)
            if order.token_type != "none":  # noqa: S105
                record.answer["token"] = f"tok_{order.token_type}_{record.digits_sha256[:12]}"
        else:
            number, code = order.card.number, order.card.security_code
            quote = f"Not valid: {number[:4]} {number[4:8]} {number[8:12]} {number[12:]}, code {code}."
            message = quote if behaviour.message == "quote" else behaviour.message
            record.answer = {"status": "declined", "reason": behaviour.reason, "message": message}

    def _inquire(self, key: str) -> Answer:
        record = self._records.get(key)
        if record is None:
            self._closed.add(key)
            return Answer(404, {"error": "no_such_charge"})
        return Answer(200, record.answer or {"status": "pending"})

    def _report(self) -> dict[str, object]:
        fields = (
            "transaction_id",
            "amount",
            "currency",
            "last_four",
            "digits_sha256",
            "behaviour",
            "charges",
        )
        return {
            "requests": self._requests,
            "charges": sum(record.charges for record in self._records.values()),
            "records": [
                {"idempotency_key": key} | {name: getattr(record, name) for name in fields}
                for key, record in self._records.items()
            ],
        }


def _record(order: _Body, behaviour: Behaviour) -> Record:
    card = order.card
    digits = f"{card.number}{card.expiry_month:02}{card.expiry_year % 100:02}{card.security_code or ''}"
    return Record(
        transaction_id=order.transaction_id,
        amount=order.amount,
        currency=order.currency,
        last_four=card.number[-4:],
        digits_sha256=hashlib.sha256(digits.encode()).hexdigest(),
        behaviour=behaviour.name,
    )


def _approved(order: _Body, behaviour: Behaviour) -> dict[str, object]:
    amount = {"half": order.amount // 2, "more": order.amount + 1}.get(behaviour.approves, order.amount)
    other = "USD" if order.currency != "USD" else "EUR"
    currency = other if behaviour.approves == "another currency" else order.currency
    return {"amount": order.amount, "amount_approved": amount, "currency": currency}


def _answer(body: Mapping[str, object]) -> Answer:
    return Answer(402 if body.get("status") == "declined" else 201, body)
