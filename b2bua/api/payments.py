"""Payments over HTTP: what became of each, also when its call is gone; and the key by which a start
is asked for once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from b2bua.api.problems import problem
from b2bua.api.schema import payment_answer, payments_answer, problems
from b2bua.call.view import CallDesk, CallView, KeyReused

MAX_LISTED = 100
_KEY = re.compile(r"[!-~]{1,255}")
_PaymentId = Annotated[str, Path(max_length=128, description="The payment's id: that of its capture.")]
_Reference = Annotated[
    str | None, Query(max_length=64, description="Your own reference; without it, all payments.")
]
_Most = Annotated[int, Query(ge=1, le=MAX_LISTED, description="The most payments to list.")]


def payment_routes(desk: CallDesk) -> APIRouter:
    """`GET /v1/payments/ID` and `GET /v1/payments?transaction_id=…`."""
    router = APIRouter(tags=["payments"])

    @router.get(
        "/v1/payments",
        summary="List payments, the newest first",
        responses={200: payments_answer("The payments."), **problems(401, 422, 503)},
    )
    async def list_payments(transaction_id: _Reference = None, limit: _Most = 20) -> Response:
        """Those with a reference, or all: with what became of each, whether or not its call is
        still there."""
        found = await desk.payments(transaction_id, limit)
        return Response(msgspec.json.encode(found), media_type="application/json")

    @router.get(
        "/v1/payments/{payment_id}",
        summary="One payment",
        responses={200: payment_answer("The payment."), **problems(401, 404, 422, 503)},
    )
    async def get_payment(payment_id: _PaymentId) -> Response:
        """A payment that was submitted is `charging` until its outcome is known; that comes also
        when the call has ended."""
        return Response(msgspec.json.encode(await desk.payment(payment_id)), media_type="application/json")

    return router


class OnceAKey:
    """Requests with an `Idempotency-Key`: the same request of the same agent gets the same answer,
    for a day."""

    def __init__(self, desk: CallDesk) -> None:
        self._desk = desk
        self._under_way: set[tuple[str, str]] = set()

    async def answer(
        self, agent: str, key: str | None, request: bytes, ask: Callable[[], Awaitable[CallView]]
    ) -> CallView | Response:
        """What `ask` answers, or answered; a problem where the key cannot be used. What `ask`
        raises is not kept."""
        if key is None:
            return await ask()
        if not _KEY.fullmatch(key):
            return problem(
                422, "The Idempotency-Key must have 1 to 255 printable ASCII characters, and no space."
            )
        digest = hashlib.sha256(request).digest()
        if (agent, key) in self._under_way:
            return problem(409, "A request with this Idempotency-Key is under way. Wait for its answer.")
        self._under_way.add((agent, key))
        try:
            known = await self._desk.recall(agent, key, digest)
            if known is not None:
                return known
            view = await ask()
            await self._desk.remember(agent, key, digest, view)
            return view
        except KeyReused:
            return problem(
                422, "This Idempotency-Key came with another request before. Use a new key for a new request."
            )
        finally:
            self._under_way.discard((agent, key))
