"""Lists webhooks and what became of their deliveries over HTTP, and sends one again.

Rule 1: no answer has the body of an event, or more of a service's URL than its host.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from b2bua.api.problems import problem
from b2bua.api.schema import Answers, problem_answers
from b2bua.switchboard.webhooks import Behind, NoSuchDelivery, Webhooks
from tonewall.log import get_logger

log = get_logger(__name__)
_JSON: Final = "application/json"
_NONE: Final = "There is no such delivery, or it is forgotten, or its webhook is not in sip.conf any more."
_BEHIND: Final = (
    "This delivery waits for an earlier event of its payment, and follows it by itself. Send that one again."
)
_UNREADABLE: Final = "The file of payments cannot be used now. See [cdr] payments."
MAX_LISTED: Final = 200
_OURS: Final = re.compile(r"evt_[0-9a-f]{32}\.[a-z0-9-]{1,64}")
_State = Annotated[
    Literal["waiting", "delivered", "failed"] | None, Query(description="Those in this state.")
]
_Webhook = Annotated[str | None, Query(max_length=128, description="Those to the webhook of this name.")]
_Payment = Annotated[str | None, Query(max_length=128, description="Those of the payment with this id.")]
_Before = Annotated[str | None, Query(max_length=256, description="The last delivery of the list before.")]
_Limit = Annotated[int, Query(ge=1, le=MAX_LISTED, description="The most deliveries to list.")]
_DeliveryId = Annotated[str, Path(max_length=256, description="`webhook-id`, a dot, the webhook's name.")]


def webhook_routes(webhooks: Webhooks | None) -> APIRouter:
    """`GET /v1/webhooks` and `/v1/webhooks/deliveries`; `POST …/deliveries/ID/redeliver`."""
    router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

    @router.get(
        "",
        operation_id="list_webhooks",
        summary="List the services that get events",
        responses=_answers("The services.", "WebhookView", 401),
    )
    async def list_webhooks() -> Response:
        """What waits for each, and how it answered last; counted every few seconds."""
        return _answer(webhooks.services() if webhooks is not None else [])

    @router.get(
        "/deliveries",
        operation_id="list_deliveries",
        summary="List deliveries, the newest first",
        responses=_answers("The deliveries.", "DeliveryView", 401, 422, 503),
    )
    async def list_deliveries(
        state: _State = None,
        webhook: _Webhook = None,
        payment: _Payment = None,
        before: _Before = None,
        limit: _Limit = 50,
    ) -> Response:
        """Those that wait, and those that were over within a week. `before` goes on behind a
        delivery."""
        if webhooks is None:
            return _answer([])
        try:
            return _answer(await webhooks.deliveries(limit, state, webhook, payment, before))
        except sqlite3.Error:
            return problem(503, _UNREADABLE)

    @router.post(
        "/deliveries/{delivery_id}/redeliver",
        operation_id="redeliver_webhook",
        summary="Send an event again",
        status_code=202,
        responses={
            202: _answers("On its way.", "DeliveryView", many=False)[200],
            **problem_answers(401, 404, 409, 422, 503),
        },
    )
    async def redeliver_webhook(request: Request, delivery_id: _DeliveryId) -> Response:
        """Now, under the same `webhook-id`, whether it was accepted, given up or waits; and for
        three days where it is not accepted. It holds up no other event."""
        log.info(
            "agent_request",
            operation="redeliver_webhook",
            agent=request.state.agent,
            delivery=loggable_delivery(delivery_id),
        )
        if webhooks is None:
            return problem(404, _NONE)
        try:
            return _answer(await webhooks.redeliver(delivery_id), 202)
        except NoSuchDelivery:
            return problem(404, _NONE)
        except Behind:
            return problem(409, _BEHIND)
        except sqlite3.Error:
            return problem(503, _UNREADABLE)

    return router


def loggable_delivery(name: str) -> str:
    """The id of a delivery as it may stand in a log: one of ours alone."""
    return name if _OURS.fullmatch(name) else "by another name"


def _answer(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type=_JSON)


def _answers(description: str, model: str, *codes: int, many: bool = True) -> Answers:
    one: dict[str, Any] = {"$ref": f"#/components/schemas/{model}"}
    schema = {"type": "array", "items": one} if many else one
    found: dict[str, Any] = {"description": description, "content": {_JSON: {"schema": schema}}}
    return {200: found, **problem_answers(*codes)}
