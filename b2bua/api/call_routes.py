"""Answers with calls: a list, one of them, or the feed."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path
from fastapi.responses import Response

from b2bua.api.problems import problem
from b2bua.api.schema import call_answer, calls_answer, feed_answer, problem_answers
from b2bua.api.stream import FeedResponse, Streams
from b2bua.call.view import CallDesk, CallView, NoSuchCall

CallId = Annotated[str, Path(max_length=128, description="The call's id, from the list or the feed.")]


def view_response(view: CallView | list[CallView], status: int = 200) -> Response:
    """One call, or several, as JSON."""
    return Response(msgspec.json.encode(view), status, media_type="application/json")


def call_routes(desk: CallDesk, streams: Streams) -> APIRouter:
    """The list of calls, one call, and the feed."""
    router = APIRouter(tags=["calls"])

    @router.get(
        "/v1/calls",
        operation_id="list_calls",
        summary="List the calls",
        responses={200: calls_answer("The calls."), **problem_answers(401)},
    )
    async def list_calls() -> Response:
        return view_response(desk.calls())

    @router.get(
        "/v1/calls/{call_id}",
        operation_id="get_call",
        summary="One call",
        responses={200: call_answer("The call."), **problem_answers(401, 404, 422)},
    )
    async def get_call(call_id: CallId) -> Response:
        for view in desk.calls():
            if view.id == call_id:
                return view_response(view)
        raise NoSuchCall

    @router.get(
        "/v1/feed",
        operation_id="follow_calls",
        summary="Follow the calls as they change",
        responses={
            200: feed_answer("Server-Sent Events, until either side ends them."),
            **problem_answers(401, 503),
        },
    )
    async def feed() -> Response:
        """An event `calls` with the ids of all calls that there are; then an event `call`, whose
        data is a CallView, for each of them and for every change. An event `payment`, whose data is
        a PaymentView, reports each payment that is not final, and each step of one. An event
        `service`, whose data is a ServiceView, says what is wrong with Tonewall itself, where
        anything is, and each change of that. A comment every 15 s shows that the line is alive. Who
        reads too slowly is cut off; whoever comes back begins with the current calls again.
        """
        if streams.is_full:
            return problem(503, "Too many feeds are open.", {"Retry-After": "5"})
        views = desk.follow()  # before the list, so that no change falls between
        return FeedResponse(streams, [view.id for view in desk.calls()], views)

    return router
