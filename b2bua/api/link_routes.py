"""Opens, closes and shows payment links over HTTP.

Rule 1: a request is answered as soon as it is on disk; what comes of it is on the feed, and with
        the payment.
Rule 2: a request is logged with the agent's name, and nothing of the order or of the customer.
"""

from __future__ import annotations

import io
from typing import Any, Final

import msgspec
import segno
from fastapi import APIRouter, Request
from fastapi.responses import Response

from b2bua.api.call_routes import CallId, loggable
from b2bua.api.link_bodies import LinkBody
from b2bua.api.payments import IdempotencyKey, IdempotentRequests, PaymentId
from b2bua.api.schema import link_offer_answer, payment_answer, problem_answers, svg_answer
from b2bua.call.desk import CallDesk
from b2bua.call.view import NotNow, PaymentView
from tonewall.log import get_logger

log = get_logger(__name__)
_OPENING: Final[dict[int | str, dict[str, Any]]] = {
    202: payment_answer("On its way to the provider; the link comes on the feed."),
    **problem_answers(401, 404, 409, 413, 422, 503),
}
_CLOSING: Final[dict[int | str, dict[str, Any]]] = {
    202: payment_answer("On its way to the provider, who says whether it was paid before."),
    **problem_answers(401, 404, 409, 422, 503),
}
_NO_LINK: Final = "This payment has no link that is open."
_LONG: Final = 2300  # octets that a QR code holds at the level of correction "M"


def link_routes(desk: CallDesk) -> APIRouter:
    """`/v1/links`, `/v1/calls/ID/links` and `/v1/payments/ID/link`."""
    router = APIRouter(tags=["links"])
    once = IdempotentRequests(desk)

    async def open_link(request: Request, body: LinkBody, key: str | None, call_id: str) -> Response:
        agent = request.state.agent
        operation = "open_link_in_call" if call_id else "open_link"
        log.info("agent_request", operation=operation, agent=agent, call=loggable(call_id))
        found = await once.answer_once(
            agent,
            key,
            f"link\n{call_id}\n{body.model_dump_json()}".encode(),
            lambda name: desk.open_link(
                body.to_order(), agent, name, call_id=call_id, provider=body.provider,
                to=body.to.to_recipient(), expires_in=body.expires_in, allow_repeat=body.allow_repeat,
            ),
            PaymentView,
        )  # fmt: skip
        return found if isinstance(found, Response) else _respond(found)

    @router.get(
        "/v1/links",
        operation_id="get_link_offer",
        summary="Whether payment links can be opened",
        responses={200: link_offer_answer("What is offered."), **problem_answers(401)},
    )
    async def get_link_offer() -> Response:
        """`offered` is null until the reconciler has said what the providers can do; `hand_over`:
        whether your own service takes links, and sends them."""
        return Response(msgspec.json.encode(desk.links()), media_type="application/json")

    @router.post(
        "/v1/links",
        operation_id="open_link",
        summary="Open a payment link without a call",
        status_code=202,
        responses=_OPENING,
    )
    async def open_link_without_call(
        request: Request, body: LinkBody, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """A page of the provider's on which the customer pays the order, once. While it is open,
        nothing else charges the order (409); an order that was charged already is refused as for
        any other, unless `allow_repeat` is true."""
        return await open_link(request, body, idempotency_key, "")

    @router.post(
        "/v1/calls/{call_id}/links",
        operation_id="open_link_in_call",
        summary="Open a payment link in a call",
        status_code=202,
        responses=_OPENING,
    )
    async def open_link_in_call(
        request: Request, call_id: CallId, body: LinkBody, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """The same for a customer who cannot or will not key a card: at a provider of the call's
        route. It outlives the call. 409 while a card is keyed in the call: cancel that first."""
        return await open_link(request, body, idempotency_key, call_id)

    @router.post(
        "/v1/payments/{payment_id}/link/close",
        operation_id="close_link",
        summary="Close a payment link",
        status_code=202,
        responses=_CLOSING,
    )
    async def close_link(
        request: Request, payment_id: PaymentId, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """The customer can pay by it no more. The payment is over when the provider says so: not
        charged (`link_closed`), or approved, where the customer was faster."""
        agent = request.state.agent
        log.info("agent_request", operation="close_link", agent=agent, payment=loggable(payment_id))
        found = await once.answer_once(
            agent,
            idempotency_key,
            f"close link\n{payment_id}".encode(),
            lambda _: desk.close_link(payment_id, agent),
            PaymentView,
        )
        return found if isinstance(found, Response) else _respond(found)

    @router.get(
        "/v1/payments/{payment_id}/link/qr.svg",
        operation_id="get_link_qr",
        summary="The QR code of a payment link",
        responses={200: svg_answer("The code."), **problem_answers(401, 404, 409, 422, 503)},
    )
    async def get_link_qr(payment_id: PaymentId) -> Response:
        """For a customer who stands in front of the agent. 409 unless the link is open."""
        link = (await desk.payment(payment_id)).link
        if link is None or not link.url or link.is_over:
            raise NotNow(_NO_LINK)
        if len(link.url.encode()) > _LONG:
            raise NotNow("The address of this link is too long for a QR code.")
        return Response(_qr(link.url), media_type="image/svg+xml")

    return router


def _respond(payment: PaymentView) -> Response:
    headers = {"Location": f"/v1/payments/{payment.id}"}
    return Response(msgspec.json.encode(payment), 202, headers, media_type="application/json")


def _qr(url: str) -> bytes:
    picture = io.BytesIO()
    code = segno.make_qr(url, error="m", boost_error=False)
    code.save(
        picture, kind="svg", border=4, light="#fff", omitsize=True, svgclass=None, lineclass=None, nl=False
    )
    return picture.getvalue()
