"""Captures, voids and refunds payments over HTTP.

Rule 1: a request is answered as soon as it is on disk and handed over; its outcome comes on the
        feed, and with the payment.
Rule 2: a request is logged with the agent's name and the payment, and nothing of the order.
"""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from b2bua.access.authority import Authority
from b2bua.api.bodies import FollowUpBody
from b2bua.api.call_routes import loggable
from b2bua.api.payments import IdempotencyKey, IdempotentRequests, PaymentId
from b2bua.api.schema import payment_answer, problem_answers
from b2bua.call.desk import CallDesk
from b2bua.call.follow_up import Balance, Kind
from b2bua.call.order import RequestName
from b2bua.call.view import PaymentView
from tonewall.log import get_logger

log = get_logger(__name__)
_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: payment_answer("On its way to the provider; the outcome comes on the feed."),
    **problem_answers(401, 404, 409, 413, 422, 503),
}


def follow_up_routes(desk: CallDesk, authority: Authority) -> APIRouter:
    """`POST /v1/payments/ID/captures`, `/voids` and `/refunds`."""
    router = APIRouter(prefix="/v1/payments/{payment_id}", tags=["payments"])
    once = IdempotentRequests(desk)

    async def carry_out(
        request: Request, kind: Kind, payment_id: str, amount: int | None, key: str | None
    ) -> Response:
        agent = request.state.agent
        log.info("agent_request", operation=f"{kind}_payment", agent=agent, payment=loggable(payment_id))

        async def ask(name: RequestName | None) -> PaymentView:
            payment = await desk.payment(payment_id)
            if kind != "capture":
                back = _given_back(payment.balance, kind, amount)
                authority.require_refund(request.state.principal, back, payment.order.currency)
            return await desk.follow_up(payment_id, kind, amount, agent, name)

        request_body = f"{kind}\n{payment_id}\n{amount}".encode()
        found = await once.answer_once(agent, key, request_body, ask, PaymentView)
        if isinstance(found, Response):
            return found
        headers = {"Location": f"/v1/payments/{payment_id}"}
        return Response(msgspec.json.encode(found), 202, headers, media_type="application/json")

    @router.post(
        "/captures",
        operation_id="capture_payment",
        summary="Capture an authorised payment",
        status_code=202,
        responses=_ANSWERS,
    )
    async def capture_payment(
        request: Request,
        payment_id: PaymentId,
        body: FollowUpBody | None = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Takes the money of a payment whose `operation` was `authorise`: all that is left, or
        `amount` of it. 409 where another request of the payment is under way, or less is left."""
        return await carry_out(request, "capture", payment_id, body.amount if body else None, idempotency_key)

    @router.post(
        "/voids",
        operation_id="void_payment",
        summary="Void a payment",
        status_code=202,
        responses=_ANSWERS,
    )
    async def void_payment(
        request: Request, payment_id: PaymentId, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Releases the whole payment, of which nothing was captured later or refunded. Whether a
        payment that was charged at once can still be voided, the provider says."""
        return await carry_out(request, "void", payment_id, None, idempotency_key)

    @router.post(
        "/refunds",
        operation_id="refund_payment",
        summary="Refund a payment",
        status_code=202,
        responses=_ANSWERS,
    )
    async def refund_payment(
        request: Request,
        payment_id: PaymentId,
        body: FollowUpBody | None = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Gives back what was captured: all that is left, or `amount` of it. 409 where another
        request of the payment is under way, or less is left."""
        return await carry_out(request, "refund", payment_id, body.amount if body else None, idempotency_key)

    return router


def _given_back(balance: Balance, kind: Kind, amount: int | None) -> int:
    """How much of the payment goes back in all: with this request, and with those before."""
    if kind == "void":
        return balance.left(kind)
    left = balance.left("refund")
    return balance.captured - left + (left if amount is None else amount)
