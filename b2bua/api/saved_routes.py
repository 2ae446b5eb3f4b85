"""Charges saved cards over HTTP: a payment without a call."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from b2bua.api.bodies import SavedChargeBody
from b2bua.api.payments import IdempotencyKey, IdempotentRequests
from b2bua.api.schema import payment_answer, problem_answers
from b2bua.call.view import CallDesk, PaymentView
from tonewall.log import get_logger

log = get_logger(__name__)


def saved_routes(desk: CallDesk) -> APIRouter:
    """`POST /v1/payments`."""
    router = APIRouter(tags=["payments"])
    once = IdempotentRequests(desk)

    @router.post(
        "/v1/payments",
        operation_id="charge_saved_card",
        summary="Charge a saved card",
        status_code=202,
        responses={
            202: payment_answer("Being charged; the outcome comes on the feed."),
            **problem_answers(401, 404, 409, 413, 422, 503),
        },
    )
    async def charge_saved_card(
        request: Request, body: SavedChargeBody, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Charges the card that an earlier payment saved (`saved_from`), or that of a `token`. It
        is a payment of its own, without a call; an order that was charged already is refused as
        for any other (409), unless `allow_repeat` is true."""
        agent = request.state.agent
        log.info("agent_request", what="saved card", agent=agent)
        found = await once.answer_once(
            agent,
            idempotency_key,
            b"saved\n" + body.model_dump_json().encode(),
            lambda name: desk.charge_saved(
                body.to_order(), body.to_card(), agent, name, allow_repeat=body.allow_repeat
            ),
            PaymentView,
        )
        if isinstance(found, Response):
            return found
        headers = {"Location": f"/v1/payments/{found.id}"}
        return Response(msgspec.json.encode(found), 202, headers, media_type="application/json")

    return router
