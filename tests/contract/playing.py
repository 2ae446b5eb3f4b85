"""Plays a flow against a provider that is played here, and keeps what was said."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from provider_adapters.base import Request, Response
from provider_adapters.card import FIELDS, Card, CardBlock
from provider_adapters.form import encode_form
from provider_adapters.keyed import FormBlock, KeyedFields
from provider_adapters.local.books import BEHAVIOURS
from provider_adapters.local.dialect import Dialect
from provider_adapters.payment import Charge

CARDS = {behaviour.name: number for number, behaviour in BEHAVIOURS.items()} | {
    "approved": "4111111111111111"
}
CODE = "739"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, and its answer; None where none came."""

    request: Request
    response: Response | None

    @property
    def body(self) -> Any:
        """The answer's body as JSON."""
        assert self.response is not None
        return json.loads(self.response.body)


def make_card(number: str = CARDS["approved"], expiry: str = "0330", code: str = CODE) -> Card:
    """A card as a payer has it."""
    block = CardBlock(list(zip(FIELDS, (len(number), 4, len(code)), strict=True)))
    block.space()[:] = f"{number}{expiry}{code}".encode()
    return block.card()


def make_fields(number: str = CARDS["approved"], **more: str) -> KeyedFields:
    """The fields of a form without a card as a payer has them: a customer's number, and others."""
    values = {"customer_number": number, **more}
    block = FormBlock([(name, len(text)) for name, text in values.items()])
    block.space()[:] = "".join(values.values()).encode()
    return block.fields()


def make_charge(key: str = "k-1", **changes: Any) -> Charge:
    """A charge of 19.98 EUR."""
    values: dict[str, Any] = {
        "idempotency_key": key, "transaction_id": "order-20417", "amount": 1998, "currency": "EUR",
        "description": "Shoes",
    }  # fmt: skip
    return Charge(**values | changes)


def encode(request: Request) -> bytes:
    """The body as it is sent."""
    if request.body is None:
        return b""
    if isinstance(request.body, bytes):
        return request.body
    return encode_form(request.body) if request.is_form else json.dumps(request.body).encode()


async def ask(dialect: Dialect, request: Request) -> Response | None:
    """The answer of a provider that is played; None where it closes without one."""
    body = encode(request)
    headers = {name.lower(): value for name, value in request.all_headers(body, time.time()).items()}
    headers |= {"content-type": request.media_type} if isinstance(request.body, bytes) else {}
    answer = await dialect.handle(request.method, request.path, headers, body)
    return None if answer is None else Response(answer.status, json.dumps(answer.body).encode())


async def play(flow: Generator[Request, Response, Any], dialect: Dialect) -> tuple[Any, list[Exchange]]:
    """What the flow returns against a provider that is played, and the exchanges. Ends with None
    where the provider closes without an answer."""
    exchanges: list[Exchange] = []
    try:
        request = next(flow)
        while True:
            response = await ask(dialect, request)
            headers = request.all_headers(encode(request), time.time())
            exchanges.append(Exchange(replace(request, headers=headers), response))
            if response is None:
                return None, exchanges
            request = flow.send(response)
    except StopIteration as end:
        return end.value, exchanges


def answer_with(flow: Generator[Request, Response, Any], answers: Sequence[Response]) -> Any:
    """What the flow returns when its requests are answered so, in order. One that asks for more
    fails."""
    try:
        next(flow)
        for response in answers:
            flow.send(response)
    except StopIteration as end:
        return end.value
    raise AssertionError("the flow wants another answer")
