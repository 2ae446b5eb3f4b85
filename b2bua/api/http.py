"""Assembles the agents' HTTP API: middleware, routes, the page, and the description.

Rule 1: nothing is decided in a route; the desk decides, and a refusal of the desk becomes a problem
        (RFC 9457).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from b2bua.access.authority import Authority
from b2bua.access.embed_tokens import EmbedTokens
from b2bua.access.principal import Authenticator
from b2bua.access.sessions import Sessions
from b2bua.access.sign_in import SignIn
from b2bua.api.audit_routes import audit_routes
from b2bua.api.audited import Audit
from b2bua.api.auth import Authenticate
from b2bua.api.call_routes import call_routes, loggable
from b2bua.api.capture_routes import capture_routes, mask_routes
from b2bua.api.claim_routes import claim_routes
from b2bua.api.demo import Demo, demo_routes
from b2bua.api.description import add_description
from b2bua.api.embed_routes import embed_routes
from b2bua.api.embedded_pages import add_cors, add_embedded, framed_headers
from b2bua.api.follow_up_routes import follow_up_routes
from b2bua.api.forwarded import Forwarded, Network
from b2bua.api.hardening import Harden, security_headers
from b2bua.api.ladder import ladder_routes
from b2bua.api.link_routes import link_routes
from b2bua.api.log_routes import log_routes
from b2bua.api.metrics import Metrics, metrics_routes
from b2bua.api.pages import add_pages, load_pages
from b2bua.api.payments import payment_routes
from b2bua.api.permitted import Doorkeeper
from b2bua.api.personal_data import personal_data_routes
from b2bua.api.prepared_routes import prepared_routes
from b2bua.api.probes import probe_routes
from b2bua.api.problems import add_problem_handlers
from b2bua.api.receipt_routes import receipt_routes
from b2bua.api.recording_routes import recording_routes
from b2bua.api.schema import form_answer, problem_answers, trunks_answer
from b2bua.api.settlement_routes import settlement_routes
from b2bua.api.sign_in_routes import sign_in_routes
from b2bua.api.sign_out_routes import sign_out_routes
from b2bua.api.statistics_routes import statistics_routes
from b2bua.api.stream import Streams
from b2bua.api.supervisor_page import add_supervisor_page
from b2bua.api.webhook_routes import webhook_routes
from b2bua.audit.recorder import Recorder
from b2bua.call.prepared_desk import Desk
from b2bua.call.view import NoSuchCall, NotNow
from b2bua.config.page_messages import Messages, sentences_of_reasons, shipped_messages
from b2bua.ladder.ladders import Ladders
from b2bua.ladder.view import LadderDesk
from b2bua.personal_data.desk import PersonalData
from b2bua.switchboard.packet_recordings import PacketRecordings
from b2bua.switchboard.receipts import Receipts
from b2bua.switchboard.statistics import Statistics
from b2bua.switchboard.webhooks import Webhooks
from media.form_description import CARD, FormDescription
from provider_adapters.currency import MINOR_UNITS
from tonewall.log import get_logger
from tonewall.version import VERSION

log = get_logger(__name__)

# Off, whatever the environment asks for: telemetry records bodies and the texts of errors.
_NO_TELEMETRY: Any = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def create_app(
    desk: Desk,
    *,
    authenticators: Sequence[Authenticator],
    authority: Authority | None = None,
    demo: Demo | None = None,
    ladders: LadderDesk | None = None,
    metrics: Metrics | None = None,
    frame_ancestors: Sequence[str] = (),
    origins: Sequence[str] = (),
    streams: Streams | None = None,
    guarded: frozenset[str] = frozenset(),
    idle_time: float = 900.0,
    forms: Sequence[FormDescription] = (CARD,),
    audit: Recorder | None = None,
    trusted_proxies: Sequence[Network] = (),
    sessions: Sessions | None = None,
    personal_data: PersonalData | None = None,
    sign_in: SignIn | None = None,
    oidc_start: str = "",
    webhooks: Webhooks | None = None,
    receipts: Receipts | None = None,
    statistics: Statistics | None = None,
    messages: Mapping[str, Messages] | None = None,
    language: str = "",
    recordings: PacketRecordings | None = None,
) -> FastAPI:
    """The API and the page over `desk`. `frame_ancestors`: origins of the pages that may hold
    the form for payments in a frame; `origins`: of those that may use the API (CORS), without
    cookies.

    `authenticators`: how it is known who asks; `authority`: what they may do;
    `guarded`: paths that need a token although they would not, /healthz and /openapi.json;
    `idle_time`: seconds without an action of the agent's after which the page signs out;
    `forms`: what customers key, the usual one first; `audit`: notes each request that changes
    something; `trusted_proxies`: whose X-Forwarded-For is believed; `sessions`: of who has signed
    in, asked last; `personal_data`: exports and erases what is kept on a person; `sign_in`: of
    people who have a password here; `oidc_start`: where a sign-in at the identity provider begins;
    empty: there is none; `webhooks`: what sends events to the company's services; `receipts`:
    what hands receipts to them; `statistics`: counts of the last hours; `messages`: the sentences
    of the page by language, ours where None; `language`: of who has chosen none on the
    page; "": that of their browser; `recordings`: of the headers of packets."""
    authority = authority or Authority()
    doorkeeper = Doorkeeper(desk, authority, audit)
    app = FastAPI(
        dependencies=[Depends(doorkeeper.admit)],
        title="Tonewall",
        version=VERSION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
    )
    app.state.streams = streams or Streams()
    embedded = EmbedTokens([*authenticators, *([sessions] if sessions is not None else [])])
    if audit is not None:
        app.add_middleware(Audit, recorder=audit, own_id=lambda name: _own_id(desk, name))
    if sessions is not None:
        sessions.watch(app.state.streams.look_again)
    asked = [*authenticators, embedded, *([sessions] if sessions is not None else [])]
    app.add_middleware(Authenticate, authenticators=asked, guarded=guarded, teams=authority.teams)
    add_cors(app, origins)
    app.add_middleware(Harden, headers=security_headers(), framed=framed_headers(frame_ancestors))
    if trusted_proxies:
        app.add_middleware(Forwarded, trusted=trusted_proxies)  # added last: outermost
    add_problem_handlers(app)
    sends_receipts = receipts is not None and receipts.offered
    app.include_router(service_routes(desk, idle_time, forms, messages or shipped_messages(), sends_receipts))
    app.include_router(probe_routes(desk))
    app.include_router(sign_in_routes(sign_in, sessions, audit, oidc_start))
    app.include_router(sign_out_routes(sessions))
    app.include_router(metrics_routes(metrics or Metrics(), desk))
    app.include_router(call_routes(desk, app.state.streams, authority))
    app.include_router(claim_routes(desk))
    app.include_router(capture_routes(desk))
    app.include_router(mask_routes(desk))
    app.include_router(payment_routes(desk, authority))
    app.include_router(prepared_routes(desk, doorkeeper))
    app.include_router(settlement_routes(desk))
    app.include_router(follow_up_routes(desk, authority))
    app.include_router(receipt_routes(desk, receipts))
    app.include_router(link_routes(desk))
    app.include_router(ladder_routes(ladders or Ladders()))
    app.include_router(recording_routes(recordings, app.state.streams))
    app.include_router(personal_data_routes(personal_data))
    app.include_router(audit_routes(audit))
    app.include_router(webhook_routes(webhooks))
    app.include_router(log_routes())
    app.include_router(statistics_routes(desk, authority, statistics or Statistics()))
    app.include_router(embed_routes(desk, embedded, bool(frame_ancestors or origins), audit))
    app.include_router(demo_routes(demo))
    add_pages(app, messages, language)
    add_supervisor_page(app, load_pages(messages, language), language)
    add_embedded(app, frame_ancestors, origins)
    add_description(app)
    return app


def _own_id(desk: Desk, name: str) -> str:
    """The id of the call that a path names; of none, what a log may have of the name."""
    try:
        return desk.find_call(name).id
    except (NoSuchCall, NotNow):
        return loggable(name)


def service_routes(
    desk: Desk,
    idle_time: float,
    forms: Sequence[FormDescription],
    messages: Mapping[str, Messages],
    sends_receipts: bool,
) -> APIRouter:
    """The state of the service, its trunks, forms and currencies, and the owner of a token."""
    sentences = sentences_of_reasons(messages)
    router = APIRouter(tags=["service"])

    @router.get(
        "/healthz",
        operation_id="get_health",
        summary="Whether the service is well",
        responses={503: {"description": "Calls, payments or call records are at a stop; `faults` says why."}},
    )
    async def healthz() -> Response:
        """For load balancers and the container's health check; needs no token. `status` is `ok`,
        `degraded` (200: a fault that stops nothing yet) or `unhealthy` (503); `faults` lists the
        faults, the worst first.
        """
        faults = desk.faults()
        well = not any(fault.stops for fault in faults)
        status = ("degraded" if faults else "ok") if well else "unhealthy"
        shown = [msgspec.to_builtins(fault) for fault in faults]
        return JSONResponse({"status": status, "faults": shown, **desk.health()}, 200 if well else 503)

    @router.get(
        "/v1/me", operation_id="get_agent", summary="Whose token this is", responses=problem_answers(401)
    )
    async def me(request: Request) -> dict[str, Any]:
        """Name, roles and scopes, and after how many seconds without anything that the agent does
        the page signs out."""
        principal = request.state.principal
        return {
            "agent": principal.name,
            "roles": sorted(principal.roles),
            "scopes": sorted(principal.scopes),
            "method": principal.method,
            "idle_time": idle_time,
            "short_codes": desk.offers_claims(),
            "receipts": sends_receipts,
        }

    @router.get(
        "/v1/currencies",
        operation_id="list_currencies",
        summary="Currencies and their decimals",
        responses=problem_answers(401),
    )
    async def currencies() -> dict[str, int]:
        """How many decimals each currency of ISO 4217 has: what `amount` counts."""
        return MINOR_UNITS

    @router.get(
        "/v1/form",
        operation_id="get_form",
        summary="The fields that a customer usually keys",
        responses={200: form_answer("The usual form."), **problem_answers(401)},
    )
    async def get_form() -> Response:
        """The fields in the order in which they are keyed, with their lengths in digits, and how
        many of its last digits an agent may see of a valid one."""
        return Response(msgspec.json.encode(forms[0]), media_type="application/json")

    @router.get(
        "/v1/forms",
        operation_id="list_forms",
        summary="All forms that a customer may key",
        responses={200: form_answer("The forms, the usual one first.", many=True), **problem_answers(401)},
    )
    async def list_forms() -> Response:
        """Each as `/v1/form`; an order names one by its `name`."""
        return Response(msgspec.json.encode(forms), media_type="application/json")

    @router.get(
        "/v1/reasons",
        operation_id="list_reasons",
        summary="Reasons of outcomes, in sentences",
        responses=problem_answers(401),
    )
    async def reasons() -> dict[str, dict[str, str]]:
        """For each word that an outcome may have as its `reason`: a sentence for the agent, in each
        language of the agent's page. That of `http_error` is for `http_500` and all others of its
        kind, with the number in place of `{}`."""
        return sentences

    @router.get(
        "/v1/trunks",
        operation_id="list_trunks",
        summary="List the trunks",
        responses={200: trunks_answer("The trunks."), **problem_answers(401)},
    )
    async def trunks() -> Response:
        """Every trunk with its calls now and its hops; a hop that is not usable gets no new calls
        until it answers again."""
        return Response(msgspec.json.encode(desk.trunks()), media_type="application/json")

    return router
