"""The agents' HTTP API: routes from requests to the calls' desk, and views back as JSON.

Rule 1: nothing is decided here; the desk decides, and what it refuses becomes a problem (RFC 9457).
Rule 2: what an agent asked for is logged with the agent's name, the call and nothing of the order.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, FastAPI, Header, Path, Request
from fastapi.responses import JSONResponse, Response

from b2bua.api.auth import RequireToken, Tokens
from b2bua.api.currency import MINOR_UNITS
from b2bua.api.demo import Demo, demo_routes
from b2bua.api.headers import Harden, security_headers
from b2bua.api.ladder import ladder_routes
from b2bua.api.metrics import Metrics, metrics_routes
from b2bua.api.order import OrderBody, ResetBody, SubmitBody
from b2bua.api.pages import add_pages
from b2bua.api.payments import OnceAKey, payment_routes
from b2bua.api.problems import add_handlers, problem
from b2bua.api.schema import call_answer, calls_answer, describe, feed_answer, problems, trunks_answer
from b2bua.api.stream import EventStream, Streams
from b2bua.call.view import CallDesk, CallView, NoSuchCall
from b2bua.ladder.book import Ladders
from b2bua.ladder.view import LadderDesk
from tonewall.log import get_logger
from tonewall.version import VERSION

log = get_logger(__name__)

CallId = Annotated[str, Path(max_length=128, description="The call's id, from the list or the feed.")]
IdempotencyKey = Annotated[
    str | None,
    Header(description="A name of yours for this request: repeated with it, it is carried out once."),
]
# Whatever the environment says: telemetry records bodies and the texts of errors.
_NO_TELEMETRY: Any = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def create_app(
    desk: CallDesk,
    *,
    tokens: Tokens,
    demo: Demo | None = None,
    ladders: LadderDesk | None = None,
    metrics: Metrics | None = None,
    frame_ancestors: str = "'self'",
    streams: Streams | None = None,
    guarded: frozenset[str] = frozenset(),
    idle_time: float = 900.0,
) -> FastAPI:
    """The API and the page over `desk`. `frame_ancestors`: CSP sources of the pages that may embed
    the agent's page.

    `guarded`: paths that need a token although they would not, /healthz and /openapi.json;
    `idle_time`: seconds without an action of the agent's after which the page signs out."""
    app = FastAPI(
        title="Tonewall",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
    )
    app.state.streams = streams or Streams()
    app.add_middleware(RequireToken, tokens=tokens, guarded=guarded)
    app.add_middleware(Harden, headers=security_headers(frame_ancestors))  # added last: outermost
    add_handlers(app)
    app.include_router(_service(desk, idle_time))
    app.include_router(metrics_routes(metrics or Metrics(), desk))
    app.include_router(_calls(desk, app.state.streams))
    app.include_router(_capture(desk))
    app.include_router(_mask(desk))
    app.include_router(payment_routes(desk))
    app.include_router(ladder_routes(ladders or Ladders()))
    app.include_router(demo_routes(demo))
    add_pages(app)
    document = describe(app)
    app.openapi = lambda: document  # type: ignore[method-assign]
    return app


def _view(view: CallView | list[CallView], status: int = 200) -> Response:
    return Response(msgspec.json.encode(view), status, media_type="application/json")


def _asked(request: Request, what: str, call_id: str) -> None:
    log.info("agent_request", what=what, agent=request.state.agent, call=call_id)


def _service(desk: CallDesk, idle_time: float) -> APIRouter:
    router = APIRouter(tags=["service"])

    @router.get(
        "/healthz",
        summary="Whether the service is well",
        responses={503: {"description": "Calls, payments or call records are at a stop; `faults` says why."}},
    )
    async def healthz() -> Response:
        """For load balancers and the container's health check; needs no token. `status` is `ok`,
        `degraded` (200: something is wrong that stops nothing yet) or `unhealthy` (503); `faults`
        says what is wrong, the worst first.
        """
        faults = desk.faults()
        well = not any(fault.stops for fault in faults)
        status = ("degraded" if faults else "ok") if well else "unhealthy"
        told = [msgspec.to_builtins(fault) for fault in faults]
        return JSONResponse({"status": status, "faults": told, **desk.health()}, 200 if well else 503)

    @router.get("/v1/me", summary="Whose token this is", responses=problems(401))
    async def me(request: Request) -> dict[str, str | float]:
        """The token's name, and after how many seconds without anything that the agent does the
        page signs out."""
        return {"agent": request.state.agent, "idle_time": idle_time}

    @router.get("/v1/currencies", summary="Currencies and their decimals", responses=problems(401))
    async def currencies() -> dict[str, int]:
        """How many decimals each currency of ISO 4217 has: what `amount` counts."""
        return MINOR_UNITS

    @router.get(
        "/v1/trunks",
        summary="List the trunks",
        responses={200: trunks_answer("The trunks."), **problems(401)},
    )
    async def trunks() -> Response:
        """Every trunk with its calls now and its hops; a hop that is not usable gets no new calls
        until it answers again."""
        return Response(msgspec.json.encode(desk.trunks()), media_type="application/json")

    return router


def _calls(desk: CallDesk, streams: Streams) -> APIRouter:
    router = APIRouter(tags=["calls"])

    @router.get(
        "/v1/calls", summary="List the calls", responses={200: calls_answer("The calls."), **problems(401)}
    )
    async def list_calls() -> Response:
        return _view(desk.calls())

    @router.get(
        "/v1/calls/{call_id}",
        summary="One call",
        responses={200: call_answer("The call."), **problems(401, 404, 422)},
    )
    async def get_call(call_id: CallId) -> Response:
        for view in desk.calls():
            if view.id == call_id:
                return _view(view)
        raise NoSuchCall

    @router.get(
        "/v1/feed",
        summary="Follow the calls as they change",
        responses={
            200: feed_answer("Server-Sent Events, until either side ends them."),
            **problems(401, 503),
        },
    )
    async def feed() -> Response:
        """An event `calls` with the ids of all calls that there are; then an event `call`, whose
        data is a CallView, for each of them and for every change. An event `payment`, whose data is
        a PaymentView, tells each payment that is not final, and each step of one. An event
        `service`, whose data is a ServiceView, says what is wrong with Tonewall itself, where
        anything is, and each change of that. A comment every 15 s shows that the line is alive. Who
        reads too slowly is cut off; whoever comes back begins with the current calls again.
        """
        if streams.full:
            return problem(503, "Too many feeds are open.", {"Retry-After": "5"})
        views = desk.follow()  # before the list, so that no change falls between
        return EventStream(streams, [view.id for view in desk.calls()], views)

    return router


def _capture(desk: CallDesk) -> APIRouter:
    router = APIRouter(prefix="/v1/calls/{call_id}/capture", tags=["capture"])
    once = OnceAKey(desk)

    @router.post(
        "",
        summary="Start a payment",
        status_code=201,
        responses={
            201: call_answer("Masking is being switched on."),
            **problems(401, 403, 404, 409, 413, 422, 503),
        },
    )
    async def start(
        request: Request, call_id: CallId, order: OrderBody, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Masks the call, then collects card number, expiry and security code. The customer may key
        when the stage is `collecting`, not before. 503 while no card could be charged: no payer
        process, or a journal that cannot be written.

        An order that was charged already, or may have been, is refused (409) with the payments that
        did it, unless `allow_repeat` is true. With an Idempotency-Key, the same request gets the
        same answer for a day.
        """
        _asked(request, "capture", call_id)
        agent = request.state.agent
        found = await once.answer(
            agent,
            idempotency_key,
            call_id.encode() + b"\n" + order.model_dump_json().encode(),
            lambda: desk.start_capture(call_id, order.to_order(), agent, allow_repeat=order.allow_repeat),
        )
        if isinstance(found, Response):
            return found
        answer = _view(found, 201)
        answer.headers["Location"] = f"/v1/calls/{call_id}"
        return answer

    @router.post(
        "/reset",
        summary="Ask for a field again",
        responses={200: call_answer("Collecting again."), **problems(401, 403, 404, 409, 413, 422)},
    )
    async def reset(request: Request, call_id: CallId, body: ResetBody | None = None) -> Response:
        """Wipes the field and all that come after it, or everything where no field is named."""
        _asked(request, "reset", call_id)
        return _view(await desk.reset_capture(call_id, body.field if body else None, request.state.agent))

    @router.post(
        "/submit",
        summary="Charge the card",
        responses={
            200: call_answer("Being charged; the outcome comes on the feed."),
            **problems(401, 403, 404, 409, 422, 503),
        },
    )
    async def submit(request: Request, call_id: CallId, body: SubmitBody | None = None) -> Response:
        """Hands the card to the payment provider, once. Only while the stage is `ready`, and not
        for an order that another payment has charged since this one was started (409), unless
        `allow_repeat` is true.
        """
        _asked(request, "submit", call_id)
        repeat = body is not None and body.allow_repeat
        return _view(await desk.submit_capture(call_id, request.state.agent, allow_repeat=repeat))

    @router.post(
        "/take-over",
        summary="Take a payment over from another agent",
        responses={200: call_answer("Yours from now on."), **problems(401, 404, 409, 422)},
    )
    async def take_over(request: Request, call_id: CallId) -> Response:
        """From now on this token's agent drives the payment, and the one before does not. It is
        logged and recorded."""
        _asked(request, "take over", call_id)
        return _view(await desk.take_over_capture(call_id, request.state.agent))

    @router.delete(
        "",
        summary="Cancel the payment",
        responses={
            200: call_answer("Cancelled; what was keyed is wiped."),
            **problems(401, 403, 404, 409, 422),
        },
    )
    async def cancel(request: Request, call_id: CallId) -> Response:
        """Until the card was submitted. What was keyed is wiped, and nothing is charged."""
        _asked(request, "cancel", call_id)
        return _view(await desk.cancel_capture(call_id, request.state.agent))

    return router


def _mask(desk: CallDesk) -> APIRouter:
    router = APIRouter(prefix="/v1/calls/{call_id}/mask", tags=["capture"])

    @router.post(
        "/release",
        summary="Say that the customer's keying is over",
        responses={
            200: call_answer("The mask goes off once no key comes."),
            **problems(401, 403, 404, 409, 422),
        },
    )
    async def release(request: Request, call_id: CallId) -> Response:
        """After a payment that ended otherwise than approved the line stays masked (`mask` is
        `held`): the customer may key on. This takes the mask off, once no key has come for
        `guard_time`. While the customer still keys it answers 409, and a key that comes before the
        mask is off takes the release back: `mask` is `held` again.
        """
        _asked(request, "release", call_id)
        return _view(await desk.release_mask(call_id, request.state.agent))

    return router
