"""Prepares payments over HTTP before their calls are there, starts and cancels them; charges saved
cards at the same address.

Rule 1: a request is logged with the agent's name, and nothing of the order or of the customer.
"""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from b2bua.api.bodies import SavedChargeBody, SubmitBody
from b2bua.api.call_routes import loggable, view_response
from b2bua.api.payments import IdempotencyKey, IdempotentRequests, PaymentId
from b2bua.api.permitted import Doorkeeper
from b2bua.api.prepared_bodies import AnyPaymentBody
from b2bua.api.schema import call_answer, payment_answer, problem_answers
from b2bua.call.prepared_desk import Desk
from b2bua.call.view import CallView, PaymentView
from tonewall.log import get_logger

log = get_logger(__name__)


def prepared_routes(desk: Desk, doorkeeper: Doorkeeper) -> APIRouter:
    """`POST /v1/payments`, and what is done about a prepared payment."""
    router = APIRouter(tags=["payments"])
    once = IdempotentRequests(desk)

    @router.post(
        "/v1/payments",
        operation_id="create_payment",
        summary="Prepare a payment, or charge a saved card",
        status_code=202,
        responses={
            201: payment_answer("Prepared: it waits for its call, or is bound to it already."),
            202: payment_answer("Being charged; the outcome comes on the feed."),
            **problem_answers(401, 404, 409, 413, 422, 429, 503),
        },
    )
    async def create_payment(
        request: Request, body: AnyPaymentBody, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """With `find_by`, prepares a payment before its call is there: it is bound to the first
        call that is answered and fits, and started in it. With `saved_from` or `token`, charges
        the card that was saved, without a call. An order that was charged already is refused as
        for any other (409), unless `allow_repeat` is true; so is one that is prepared already."""
        agent = request.state.agent
        if isinstance(body, SavedChargeBody):
            log.info("agent_request", operation="charge_saved_card", agent=agent)
            named = {} if body.saved_from is None else {"payment_id": body.saved_from}
            await doorkeeper.admit_to(request, "charge_saved_card", named)
            saved, status = body, 202
            found = await once.answer_once(
                agent,
                idempotency_key,
                b"saved\n" + body.model_dump_json().encode(),
                lambda name: desk.charge_saved(
                    saved.to_order(), saved.to_card(), agent, name, allow_repeat=saved.allow_repeat
                ),
                PaymentView,
            )
        else:
            log.info("agent_request", operation="prepare_payment", agent=agent)
            find_by = await doorkeeper.admit_to_find(request, body.find_by.to_find_by())
            prepared, status = body, 201
            found = await once.answer_once(
                agent,
                idempotency_key,
                b"prepare\n" + body.model_dump_json().encode(),
                lambda name: desk.prepare_payment(
                    prepared.to_order(), find_by, agent, name,
                    start=prepared.start, expires_in=prepared.expires_in,
                    allow_repeat=prepared.allow_repeat,
                ),
                PaymentView,
            )  # fmt: skip
        if isinstance(found, Response):
            return found
        headers = {"Location": f"/v1/payments/{found.id}"}
        return Response(msgspec.json.encode(found), status, headers, media_type="application/json")

    @router.post(
        "/v1/payments/{payment_id}/start",
        operation_id="start_prepared_payment",
        summary="Start a prepared payment in its call",
        status_code=201,
        responses={
            201: call_answer("Masking is being switched on."),
            **problem_answers(401, 403, 404, 409, 413, 422, 503),
        },
    )
    async def start_prepared_payment(
        request: Request,
        payment_id: PaymentId,
        body: SubmitBody | None = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """As a start with an order, in the call that the payment is bound to. 409 while no call
        fits it. The token that sends this drives the payment."""
        agent, repeat = request.state.agent, body is not None and body.allow_repeat
        log.info(
            "agent_request", operation="start_prepared_payment", agent=agent, payment=loggable(payment_id)
        )
        found = await once.answer_once(
            agent,
            idempotency_key,
            f"start\n{payment_id}\n{repeat}".encode(),
            lambda _: desk.start_prepared(payment_id, agent, allow_repeat=repeat),
            CallView,
        )
        if isinstance(found, Response):
            return found
        answer = view_response(found, 201)
        answer.headers["Location"] = f"/v1/calls/{found.id}"
        return answer

    @router.delete(
        "/v1/payments/{payment_id}",
        operation_id="cancel_prepared_payment",
        summary="Cancel a prepared payment",
        responses={
            200: payment_answer("Cancelled; no call is asked for it."),
            **problem_answers(401, 404, 409, 422, 503),
        },
    )
    async def cancel_prepared_payment(request: Request, payment_id: PaymentId) -> Response:
        """Until it is started; from then on it is cancelled in its call (409)."""
        agent = request.state.agent
        log.info(
            "agent_request", operation="cancel_prepared_payment", agent=agent, payment=loggable(payment_id)
        )
        found = await desk.cancel_prepared(payment_id, agent)
        return Response(msgspec.json.encode(found), media_type="application/json")

    return router
