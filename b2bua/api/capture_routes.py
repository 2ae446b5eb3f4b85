"""Carries out the agent's requests for a payment: start, reset, submit, take over, cancel, release.

Rule 1: a request is logged with the agent's name and the call, and nothing of the order.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from b2bua.api.bodies import SubmitBody
from b2bua.api.call_routes import CallId, loggable, view_response
from b2bua.api.capture_bodies import CaptureBody
from b2bua.api.field_bodies import AskBody, ResetBody, SkipBody, SlowBody
from b2bua.api.payments import IdempotencyKey, IdempotentRequests
from b2bua.api.schema import call_answer, problem_answers
from b2bua.call.desk import CallDesk
from b2bua.call.view import CallView
from tonewall.log import get_logger

log = get_logger(__name__)


def capture_routes(desk: CallDesk) -> APIRouter:
    """Start, reset, submit, take over, cancel."""
    router = APIRouter(prefix="/v1/calls/{call_id}/capture", tags=["capture"])
    once = IdempotentRequests(desk)

    @router.post(
        "",
        operation_id="start_payment",
        summary="Start a payment",
        status_code=201,
        responses={
            201: call_answer("Masking is being switched on."),
            **problem_answers(401, 403, 404, 409, 413, 422, 503),
        },
    )
    async def start_payment(
        request: Request, call_id: CallId, order: CaptureBody, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Masks the call, then collects card number, expiry and security code. The customer may key
        when the stage is `collecting`, not before. 503 while no card could be charged: no payer
        process, or a journal that cannot be written.

        An order that was charged already, or may have been, is refused (409) with the payments that
        did it, unless `allow_repeat` is true. With an Idempotency-Key, the same request gets the
        same answer for a day.
        """
        _log_request(request, "start_payment", call_id)
        agent = request.state.agent
        found = await once.answer_once(
            agent,
            idempotency_key,
            call_id.encode() + b"\n" + order.model_dump_json().encode(),
            lambda _: desk.start_capture(call_id, order.to_order(), agent, allow_repeat=order.allow_repeat),
            CallView,
        )
        if isinstance(found, Response):
            return found
        answer = view_response(found, 201)
        answer.headers["Location"] = f"/v1/calls/{call_id}"
        return answer

    @router.post(
        "/reset",
        operation_id="reset_fields",
        summary="Wipe a field and those after it",
        responses={200: call_answer("Collecting again."), **problem_answers(401, 403, 404, 409, 413, 422)},
    )
    async def reset_field(request: Request, call_id: CallId, body: ResetBody | None = None) -> Response:
        """Wipes the field and all that come after it, or everything where no field is named."""
        _log_request(request, "reset_fields", call_id)
        return view_response(
            await desk.reset_capture(call_id, body.field if body else None, request.state.agent)
        )

    @router.post(
        "/ask",
        operation_id="ask_field",
        summary="Ask for one field, alone",
        responses={200: call_answer("Collecting it."), **problem_answers(401, 403, 404, 409, 413, 422)},
    )
    async def ask_field(request: Request, call_id: CallId, body: AskBody | None = None) -> Response:
        """The customer keys this field now, again or before its turn; the other fields stay. What a
        complete field had counts until it is complete again. Where no field is named, what it had
        counts for good, and the form goes on in order.
        """
        _log_request(request, "ask_field", call_id)
        return view_response(await desk.ask_field(call_id, body.field if body else None, request.state.agent))

    @router.post(
        "/skip",
        operation_id="skip_field",
        summary="Go on without a field",
        responses={200: call_answer("Without it."), **problem_answers(401, 403, 404, 409, 413, 422)},
    )
    async def skip_field(request: Request, call_id: CallId, body: SkipBody) -> Response:
        """The form goes on without this field, which it does not need; what it had is wiped."""
        _log_request(request, "skip_field", call_id)
        return view_response(await desk.skip_field(call_id, body.field, request.state.agent))

    @router.post(
        "/slow",
        operation_id="slow_keys",
        summary="Join keys that come twice",
        responses={200: call_answer("They are joined."), **problem_answers(401, 403, 404, 409, 413, 422)},
    )
    async def slow_keys(request: Request, call_id: CallId, body: SlowBody | None = None) -> Response:
        """From now on two equal keys that come within 400 ms count as one, for lines that send each
        key twice (note `keys_doubled`). The customer has to take longer over two equal digits. What
        was keyed stays as it is: ask for it again. 409 where keys come as SIP INFO. Keys that an
        rtpengine server reports are not joined: `slow` stays false.
        """
        _log_request(request, "slow_keys", call_id)
        return view_response(await desk.slow_keys(call_id, body is None or body.on, request.state.agent))

    @router.post(
        "/submit",
        operation_id="submit_card",
        summary="Charge the card",
        responses={
            200: call_answer("Being charged; the outcome comes on the feed."),
            **problem_answers(401, 403, 404, 409, 422, 503),
        },
    )
    async def submit_card(request: Request, call_id: CallId, body: SubmitBody | None = None) -> Response:
        """Hands the card to the payment provider, once. Only while the stage is `ready`, and not
        for an order that another payment has charged since this one was started (409), unless
        `allow_repeat` is true.
        """
        _log_request(request, "submit_card", call_id)
        repeat = body is not None and body.allow_repeat
        return view_response(await desk.submit_capture(call_id, request.state.agent, allow_repeat=repeat))

    @router.post(
        "/take-over",
        operation_id="take_over_payment",
        summary="Take a payment over from another agent",
        responses={200: call_answer("Yours from now on."), **problem_answers(401, 404, 409, 422)},
    )
    async def take_over_payment(request: Request, call_id: CallId) -> Response:
        """From now on this token's agent drives the payment, and the one before does not. It is
        logged and recorded."""
        _log_request(request, "take_over_payment", call_id)
        return view_response(await desk.take_over_capture(call_id, request.state.agent))

    @router.delete(
        "",
        operation_id="cancel_payment",
        summary="Cancel the payment",
        responses={
            200: call_answer("Cancelled; what was keyed is wiped."),
            **problem_answers(401, 403, 404, 409, 422),
        },
    )
    async def cancel_payment(request: Request, call_id: CallId) -> Response:
        """Until the card was submitted. What was keyed is wiped, and nothing is charged."""
        _log_request(request, "cancel_payment", call_id)
        return view_response(await desk.cancel_capture(call_id, request.state.agent))

    return router


def mask_routes(desk: CallDesk) -> APIRouter:
    """A mask before a payment, and the release of one that is held."""
    router = APIRouter(prefix="/v1/calls/{call_id}/mask", tags=["capture"])

    @router.post(
        "",
        operation_id="announce_payment",
        summary="Mask the call before a payment",
        responses={
            200: call_answer("Masking is being switched on."),
            **problem_answers(401, 403, 404, 409, 422),
        },
    )
    async def announce_payment(request: Request, call_id: CallId) -> Response:
        """A payment is to come. From now on no key of the customer's reaches the agent; what is
        keyed until the payment collects is thrown away, and counted in `keys_dropped`. A payment
        that begins collects at once. Without one the mask ends by a release, or after
        `pre_mask_time` as after a payment that was not approved. 409 where the trunk has
        `pre_mask = never`.
        """
        _log_request(request, "announce_payment", call_id)
        return view_response(await desk.announce_payment(call_id, request.state.agent))

    @router.delete(
        "",
        operation_id="withdraw_payment",
        summary="Say that no payment is to come",
        responses={
            200: call_answer("The mask goes off once no key comes."),
            **problem_answers(401, 403, 404, 409, 422),
        },
    )
    async def withdraw_payment(request: Request, call_id: CallId) -> Response:
        """As the release of a mask."""
        _log_request(request, "withdraw_payment", call_id)
        return view_response(await desk.release_mask(call_id, request.state.agent))

    @router.post(
        "/release",
        operation_id="release_mask",
        summary="Say that the customer's keying is over",
        responses={
            200: call_answer("The mask goes off once no key comes."),
            **problem_answers(401, 403, 404, 409, 422),
        },
    )
    async def release_mask(request: Request, call_id: CallId) -> Response:
        """After a payment that ended otherwise than approved the line stays masked (`mask` is
        `held`): the customer may key on. This takes the mask off, once no key has come for
        `guard_time`. While the customer still keys it answers 409, and a key that comes before the
        mask is off takes the release back: `mask` is `held` again.
        """
        _log_request(request, "release_mask", call_id)
        return view_response(await desk.release_mask(call_id, request.state.agent))

    return router


def _log_request(request: Request, operation: str, call_id: str) -> None:
    log.info("agent_request", operation=operation, agent=request.state.agent, call=loggable(call_id))
