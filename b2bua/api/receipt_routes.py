"""Sends the receipt of a payment over HTTP, by the company's own service.

Rule 1: a request is answered as soon as the receipt is on disk; the delivery log has what becomes
        of it.
Rule 2: a request is logged with the agent's name and the payment, and not with the address; that is
        no place for a card number either.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import AfterValidator, ConfigDict
from pydantic import Field as Described

from b2bua.api.bodies import Body
from b2bua.api.call_routes import loggable
from b2bua.api.link_bodies import email_address, phone_number
from b2bua.api.payments import IdempotencyKey, IdempotentRequests, PaymentId
from b2bua.api.schema import problem_answers, receipt_answer
from b2bua.call.desk import CallDesk
from b2bua.call.view import NotNow
from b2bua.switchboard.receipts import NO_SERVICE, Receipts
from b2bua.switchboard.webhook_views import ReceiptView
from tonewall.log import get_logger

log = get_logger(__name__)


def _recipient(text: str) -> str:
    plain = text.strip()
    found = email_address(plain) if "@" in plain else phone_number(plain)
    if not found:
        raise ValueError("must be an e-mail address, or a telephone number with its country")
    return found


class ReceiptBody(Body):
    """To whom a receipt is sent."""

    model_config = ConfigDict(title="Receipt", json_schema_extra={"examples": [{"to": "jo@example.com"}]})

    to: Annotated[
        str,
        Described(
            min_length=1,
            max_length=254,
            description="An e-mail address, or a telephone number with its plus; passed on to your own "
            "service, and shown nowhere.",
        ),
        AfterValidator(_recipient),
    ]


def receipt_routes(desk: CallDesk, receipts: Receipts | None) -> APIRouter:
    """`POST /v1/payments/ID/receipt`."""
    router = APIRouter(prefix="/v1/payments/{payment_id}", tags=["payments"])
    once = IdempotentRequests(desk)

    @router.post(
        "/receipt",
        operation_id="send_receipt",
        summary="Send the receipt of a payment",
        status_code=202,
        responses={
            202: receipt_answer("On its way to your own service, which sends it."),
            **problem_answers(401, 404, 409, 413, 422, 503),
        },
    )
    async def send_receipt(
        request: Request, payment_id: PaymentId, body: ReceiptBody, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Of a payment that was approved, wholly or in part: an event "payment.receipt" with this
        address to each `[webhook NAME]` that has it in its `events`; your service writes the
        receipt, and sends it. 409 where none has it, or after five of one payment."""
        agent = request.state.agent
        log.info("agent_request", operation="send_receipt", agent=agent, payment=loggable(payment_id))
        if receipts is None:
            await desk.payment(payment_id)  # 404 goes first
            raise NotNow(NO_SERVICE)
        found = await once.answer_once(
            agent,
            idempotency_key,
            f"receipt\n{payment_id}\n{body.to}".encode(),
            lambda name: receipts.send(payment_id, body.to, name),
            ReceiptView,
        )
        if isinstance(found, Response):
            return found
        return Response(msgspec.json.encode(found), 202, media_type="application/json")

    return router
