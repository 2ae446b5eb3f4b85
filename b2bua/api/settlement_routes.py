"""Settles payments over HTTP by what a person saw at the provider.

Rule 1: it is logged who says it, and of which payment.
"""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from b2bua.api.bodies import SettlementBody
from b2bua.api.call_routes import loggable
from b2bua.api.payments import IdempotencyKey, IdempotentRequests, PaymentId
from b2bua.api.schema import payment_answer, problem_answers
from b2bua.call.desk import CallDesk
from b2bua.call.view import PaymentView
from tonewall.log import get_logger

log = get_logger(__name__)


def settlement_routes(desk: CallDesk) -> APIRouter:
    """`POST /v1/payments/ID/settlement`."""
    router = APIRouter(prefix="/v1/payments/{payment_id}", tags=["payments"])
    once = IdempotentRequests(desk)

    @router.post(
        "/settlement",
        operation_id="settle_payment",
        summary="Settle an unknown payment by hand",
        responses={
            200: payment_answer("The payment, as it stands now."),
            **problem_answers(401, 403, 404, 409, 413, 422, 503),
        },
    )
    async def settle_payment(
        request: Request,
        payment_id: PaymentId,
        body: SettlementBody,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Says what the provider's own tools show of a payment whose outcome is unknown, or of a
        capture, void or refund that is unknown or accepted (`follow_up`). Nobody asks the
        provider about it any more. 409 where it is decided already, 403 while another agent's mask
        of that payment is on."""
        agent = request.state.agent
        log.info("agent_request", operation="settle_payment", agent=agent, payment=loggable(payment_id))
        found = await once.answer_once(
            agent,
            idempotency_key,
            f"settle\n{payment_id}\n{body.model_dump_json()}".encode(),
            lambda _: desk.settle_payment(payment_id, body.to_settlement(), agent),
            PaymentView,
        )
        if isinstance(found, Response):
            return found
        return Response(msgspec.json.encode(found), media_type="application/json")

    return router
