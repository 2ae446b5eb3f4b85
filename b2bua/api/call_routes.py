"""Answers with calls: a list, one of them, or the feed."""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import Response

from b2bua.access.authority import Authority
from b2bua.api.problems import problem
from b2bua.api.schema import call_answer, calls_answer, feed_answer, problem_answers
from b2bua.api.stream import KEEP_ALIVE, FeedResponse, Streams
from b2bua.call.prepared_desk import CallQuery, Desk
from b2bua.call.view import CallView, NoSuchCall

CallId = Annotated[
    str,
    Path(
        max_length=256,
        description="The call's id, from the list or the feed; or the SIP Call-ID of one of its legs; or "
        "`caller:` and the number of who called, where that is one call.",
    ),
]
_KeepAlive = Annotated[
    int, Query(ge=1, le=int(KEEP_ALIVE), description="Seconds without an event before a comment.")
]
_LastId = Annotated[str, Header(max_length=64, description="The `id` that was read last.")]
_Mine = Annotated[bool, Query(description="Those of your extension (`[api] extensions`).")]
_CallId = Annotated[str, Query(max_length=256, description="Our id, or the SIP Call-ID of a leg.")]
_Caller = Annotated[str, Query(max_length=64, description="The number of who called.")]
_Callee = Annotated[str, Query(max_length=64, description="The number that was called.")]
_Extension = Annotated[str, Query(max_length=64, description="The number on the agents' side.")]
_Reference = Annotated[
    str, Query(max_length=64, description="The reference of an order, from any of `reference_headers`.")
]
_OURS: Final = re.compile(r"(?=.*[a-z])[0-9a-z-]{1,32}")
_MAX_HEADERS: Final = 4
_HEADER: Final = "header."


def loggable(name: str) -> str:
    """The name of a call or payment as it may stand in a log: our own ids alone, since others have
    numbers and hosts in them."""
    return name if not name or _OURS.fullmatch(name) else "by another name"


def view_response(view: CallView | list[CallView], status: int = 200) -> Response:
    """One call, or several, as JSON."""
    return Response(msgspec.json.encode(view), status, media_type="application/json")


def call_routes(desk: Desk, streams: Streams, authority: Authority) -> APIRouter:
    """The list of calls, one call, and the feed."""
    router = APIRouter(tags=["calls"])

    @router.get(
        "/v1/calls",
        operation_id="list_calls",
        summary="List the calls",
        responses={200: calls_answer("The calls."), **problem_answers(401, 422)},
    )
    async def list_calls(
        request: Request,
        mine: _Mine = False,
        call_id: _CallId = "",
        caller: _Caller = "",
        callee: _Callee = "",
        extension: _Extension = "",
        reference: _Reference = "",
    ) -> Response:
        """All, or those of which everything is so that is given. `header.NAME=VALUE` takes a
        reference of one of `reference_headers` alone."""
        given = [
            (name.removeprefix(_HEADER).lower(), value)
            for name, value in request.query_params.multi_items()
            if name.startswith(_HEADER)
        ]
        if len(given) > _MAX_HEADERS:  # one that is not looked at would let other calls through
            return problem(422, f"At most {_MAX_HEADERS} headers are compared.")
        query = CallQuery(
            agent=request.state.agent if mine else "",
            call_id=call_id,
            caller=caller,
            callee=callee,
            extension=extension,
            reference=reference,
            headers=tuple(given),
        )
        principal = request.state.principal
        seen = (authority.sight(principal, each) for each in desk.find_calls(query))
        return view_response([each for each in seen if isinstance(each, CallView)])

    @router.get(
        "/v1/calls/{call_id}",
        operation_id="get_call",
        summary="One call",
        responses={200: call_answer("The call."), **problem_answers(401, 404, 409, 422)},
    )
    async def get_call(request: Request, call_id: CallId) -> Response:
        seen = authority.sight(request.state.principal, desk.find_call(call_id))
        if not isinstance(seen, CallView):  # it became another's a moment ago
            raise NoSuchCall
        return view_response(seen)

    @router.get(
        "/v1/feed",
        operation_id="follow_calls",
        summary="Follow the calls as they change",
        responses={
            200: feed_answer("Server-Sent Events, until either side ends them."),
            **problem_answers(401, 422, 503),
        },
    )
    async def feed(
        request: Request, last_event_id: _LastId = "", keep_alive: _KeepAlive = int(KEEP_ALIVE)
    ) -> Response:
        """An event `calls` with the ids of all calls that there are; then an event `call`, whose
        data is a CallView, for each of them and for every change. An event `payment`, whose data is
        a PaymentView, reports each payment that is not final, and each step of one. An event
        `service`, whose data is a ServiceView, says what is wrong with Tonewall itself, where
        anything is, and each change of that. A comment after `keep_alive` seconds without an event
        shows that the line is alive. Who reads too slowly is cut off. Whoever comes back with the
        newest `id` as `Last-Event-ID` gets `calls`, with `resumed`, and all that followed, as long
        as that is remembered; else the current calls again.
        Only calls and payments that one may see are sent; as a call becomes another's, `calls`
        comes again with the ids that are left. The feed ends as a sign-in or a key does.
        """
        if streams.is_full:
            return problem(503, "Too many feeds are open.", {"Retry-After": "5"})
        views = desk.follow(last_event_id)  # before the list, so that no change falls between
        principal = request.state.principal
        seen = [each for each in desk.calls() if authority.sight(principal, each) is not None]
        ids = [view.id for view in seen]
        return FeedResponse(
            streams,
            ids,
            views,
            lambda view: authority.sight(principal, view),
            request.state.holds,
            keep_alive,
        )

    return router
