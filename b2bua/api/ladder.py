"""Answers with the ladder of a call, as JSON or as a picture.

Rule 1: what is shown was kept without digits and credentials (see `b2bua.ladder.record`); nothing
        is redacted here.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Header, Path
from fastapi.responses import Response

from b2bua.api.problems import problem
from b2bua.api.schema import Answers, problem_answers
from b2bua.ladder import svg
from b2bua.ladder.layout import lay_out
from b2bua.ladder.view import LadderDesk, NoSuchLadder

_JSON: Final = "application/json"
_FORGOTTEN: Final = (
    "Nothing is kept of such a call: it is unknown, or it ended and newer ones have taken its place. "
    "[general] ladders says how many ended calls are remembered."
)
_ID = Annotated[
    str, Path(max_length=256, description="The call's id, or the SIP Call-ID of one of its legs.")
]


def ladder_routes(ladders: LadderDesk) -> APIRouter:
    """`GET /v1/ladders` lists the calls; `GET /v1/calls/ID/ladder` has one call's messages."""
    router = APIRouter(tags=["ladders"])

    @router.get(
        "/v1/ladders",
        operation_id="list_ladders",
        summary="List the calls whose messages are kept",
        responses=_ladder_answers("LadderSummary"),
    )
    async def list_ladders() -> Response:
        """Calls under way first, then those that ended; the newest first."""
        return Response(msgspec.json.encode(ladders.recent_calls()), media_type=_JSON)

    @router.get(
        "/v1/calls/{call_id}/ladder.svg",
        operation_id="draw_ladder",
        summary="A call's messages as a picture",
        responses=_picture_answers(),
    )
    async def picture(call_id: _ID) -> Response:
        return _ladder_response(ladders, call_id, svg.MEDIA_TYPE)

    @router.get(
        "/v1/calls/{call_id}/ladder",
        operation_id="get_ladder",
        summary="A call's messages",
        responses=_ladder_answers("LadderView", svg=True),
    )
    async def ladder(call_id: _ID, accept: Annotated[str, Header()] = "*/*") -> Response:
        """As JSON, or as SVG where `Accept` prefers image/svg+xml. No body, header or phrase of a
        message is kept; texts are our own words.
        """
        answer = _ladder_response(ladders, call_id, svg.MEDIA_TYPE if prefers_svg(accept) else _JSON)
        answer.headers["Vary"] = "Accept"
        return answer

    return router


def _ladder_response(ladders: LadderDesk, call_id: str, media_type: str) -> Response:
    try:
        view = ladders.ladder_of(call_id)
    except NoSuchLadder:
        return problem(404, _FORGOTTEN)
    content = msgspec.json.encode(view) if media_type == _JSON else svg.draw(lay_out(view)).encode()
    return Response(content, media_type=media_type)


def prefers_svg(accept: str) -> bool:
    """Whether an Accept header (RFC 9110 section 12.5.1) wants the picture rather than JSON."""
    weights = {
        name: max((_weight(part, name) for part in accept.split(",")), default=(0, 0.0))[1]
        for name in (_JSON, svg.MEDIA_TYPE)
    }
    return weights[svg.MEDIA_TYPE] > weights[_JSON]


def _weight(part: str, name: str) -> tuple[int, float]:
    """How exactly a media range names that type, and how much it is wanted."""
    found, *parameters = (piece.strip().lower() for piece in part.split(";"))
    exactness = {name: 3, f"{name.partition('/')[0]}/*": 2, "*/*": 1}.get(found, 0)
    if not exactness:
        return 0, 0.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return exactness, float(value) if len(value) <= 6 else 0.0
            except ValueError:
                return exactness, 0.0
    return exactness, 1.0


def _ladder_answers(model: str, *, svg: bool = False) -> Answers:
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{model}"}
    if model == "LadderSummary":
        return {200: {"description": "The calls.",
        "content": {_JSON: {"schema": {"type": "array", "items": schema}}}},
                **problem_answers(401)}  # fmt: skip
    content = {_JSON: {"schema": schema}} | (_picture_answers()[200]["content"] if svg else {})
    return {
        200: {"description": "The messages, in order.", "content": content},
        **problem_answers(401, 404, 422),
    }


def _picture_answers() -> Answers:
    content = {svg.MEDIA_TYPE: {"schema": {"type": "string"}}}
    return {200: {"description": "The picture.", "content": content}, **problem_answers(401, 404, 422)}
