"""Lists payments over HTTP, also of calls that are gone, and carries out a request once per
Idempotency-Key."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Annotated, Literal, TypeVar

import msgspec
from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import Response

from b2bua.access.authority import Authority, NotPermitted
from b2bua.access.permissions import Reach
from b2bua.api.bodies import ReconcileBody
from b2bua.api.problems import UNDER_WAY, problem
from b2bua.api.schema import payment_answer, payments_answer, problem_answers
from b2bua.call.desk import CallDesk
from b2bua.call.order import RequestName
from b2bua.call.prepared_desk import Desk
from b2bua.call.view import CallView, KeyReused, PaymentView
from b2bua.switchboard.webhook_views import ReceiptView
from tonewall.log import get_logger

log = get_logger(__name__)
MAX_LISTED = 100
_PREPARED = 10_000  # of which some are listed
ViewT = TypeVar("ViewT", CallView, PaymentView, ReceiptView)
IdempotencyKey = Annotated[
    str | None,
    Header(description="A name of yours for this request: repeated with it, it is carried out once."),
]
_KEY = re.compile(r"[!-~]{1,255}")
PaymentId = Annotated[str, Path(max_length=128, description="The payment's id: that of its capture.")]
_Reference = Annotated[
    str | None, Query(max_length=64, description="Your own reference; without it, all payments.")
]
_Outcome = Annotated[
    Literal["approved", "partially_approved", "declined", "failed", "unknown"] | None,
    Query(description="Those with this outcome."),
]
_Stage = Annotated[
    Literal["prepared"] | None, Query(description="Those that are prepared now, for a call to come.")
]
_Since = Annotated[
    float | None, Query(ge=0, le=1e11, description="Seconds since the epoch; lists the oldest first.")
]
_After = Annotated[
    str | None, Query(max_length=128, description="With `since`: the last payment of the list before.")
]
_Limit = Annotated[int, Query(ge=1, le=MAX_LISTED, description="The most payments to list.")]


def payment_routes(desk: Desk, authority: Authority) -> APIRouter:
    """`GET /v1/payments/ID` and `GET /v1/payments?transaction_id=…`."""
    router = APIRouter(tags=["payments"])

    @router.get(
        "/v1/payments",
        operation_id="list_payments",
        summary="List payments, the newest first",
        responses={200: payments_answer("The payments."), **problem_answers(401, 422, 503)},
    )
    async def list_payments(
        request: Request,
        transaction_id: _Reference = None,
        limit: _Limit = 20,
        outcome: _Outcome = None,
        since: _Since = None,
        after: _After = None,
        stage: _Stage = None,
    ) -> Response:
        """Those with a reference or an outcome, or all: with what became of each, whether or not
        its call is still there. With `stage`, those that are prepared. With `since`, the oldest
        first: all that began from then on, or about which something was done; `after` goes on
        behind a payment. Only payments that one may see are listed; `since` is for who sees all."""
        principal = request.state.principal
        keep = authority.keeps_payments(principal)
        if stage is not None:
            found = list(islice(filter(keep, desk.prepared_payments(_PREPARED)), limit))
        elif since is not None:
            if keep is not None:
                raise NotPermitted("`since` is for who sees all payments.")
            found = await desk.payments_since(since, after, limit)
        else:
            found = await desk.payments(transaction_id, limit, outcome, keep)
        return Response(msgspec.json.encode(found), media_type="application/json")

    @router.post(
        "/v1/payments/reconcile",
        operation_id="reconcile_payments",
        summary="Ask what became of unknown payments now",
        status_code=202,
        responses={
            202: payments_answer("Those that are asked about."),
            **problem_answers(401, 404, 413, 422, 503),
        },
    )
    async def reconcile_payments(request: Request, body: ReconcileBody) -> Response:
        """Has the provider asked at once about these payments, where their outcome is unknown, or
        about all such where none is named. What it says comes on the feed."""
        log.info("agent_request", operation="reconcile_payments", agent=request.state.agent)
        principal = request.state.principal
        if authority.reach(principal, "reconcile_payments") is not Reach.ALL:
            for each in body.payments:
                authority.require_payment(principal, "reconcile_payments", await desk.payment(each))
        found = await desk.reconcile(tuple(body.payments))
        return Response(msgspec.json.encode(found), 202, media_type="application/json")

    @router.get(
        "/v1/payments/{payment_id}",
        operation_id="get_payment",
        summary="One payment",
        responses={200: payment_answer("The payment."), **problem_answers(401, 404, 422, 503)},
    )
    async def get_payment(payment_id: PaymentId) -> Response:
        """A payment that was submitted is `charging` until its outcome is known; that comes also
        when the call has ended."""
        return Response(msgspec.json.encode(await desk.payment(payment_id)), media_type="application/json")

    return router


class IdempotentRequests:
    """Requests with an `Idempotency-Key`: for a day, the same request of the same agent gets the
    same answer."""

    def __init__(self, desk: CallDesk) -> None:
        self._desk = desk
        self._under_way: set[tuple[str, str]] = set()

    async def answer_once(
        self,
        agent: str,
        key: str | None,
        request: bytes,
        ask: Callable[[RequestName | None], Awaitable[ViewT]],
        kind: type[ViewT],
    ) -> ViewT | Response:
        """The answer of `ask`, a `kind`, now or from the first request with this key; a problem
        where the key cannot be used. `ask` may keep its answer itself, under the name that it gets.
        An exception of `ask` is not kept: the next request calls it again."""
        if key is None:
            return await ask(None)
        if not _KEY.fullmatch(key):
            return problem(
                422, "The Idempotency-Key must have 1 to 255 printable ASCII characters, and no space."
            )
        name = RequestName(agent=agent, key=key, digest=hashlib.sha256(request).digest())
        if (agent, key) in self._under_way:
            detail = "A request with this Idempotency-Key is under way. Wait for its answer."
            return problem(409, detail, {"Retry-After": "1"}, more={"type": UNDER_WAY})
        self._under_way.add((agent, key))
        try:
            known = await self._desk.recall(name)
            if known is not None:
                return self._as_it_was(msgspec.json.decode(known, type=kind))
            view = await ask(name)
            await self._desk.remember(name, msgspec.json.encode(view))
            return view
        except KeyReused:
            return problem(
                422, "This Idempotency-Key came with another request before. Use a new key for a new request."
            )
        finally:
            self._under_way.discard((agent, key))

    def _as_it_was(self, view: ViewT) -> ViewT:
        """A kept answer. Who is on a leg is not kept (b2bua/call/pseudonyms.py, rule 4): it is read
        of the call anew, as long as that is up."""
        if not isinstance(view, CallView):
            return view
        now = next((each for each in self._desk.calls() if each.id == view.id), view)
        return msgspec.structs.replace(view, customer_leg=now.customer_leg, agent_leg=now.agent_leg)
