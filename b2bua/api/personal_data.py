"""Exports and erases what is kept on a person, over HTTP.

Rule 1: a number is in a body alone, never in a path: proxies log paths, and the audit log notes
        them.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import AfterValidator, ConfigDict
from pydantic import Field as Described

from b2bua.api.bodies import Body
from b2bua.api.prepared_bodies import telephone_number
from b2bua.api.problems import problem
from b2bua.api.schema import Answers, problem_answers
from b2bua.personal_data.desk import PersonalData, Unreadable
from tonewall.log import get_logger

log = get_logger(__name__)
_JSON: Final = "application/json"
_NONE: Final = "This process keeps no data about persons."


def _whole(number: str) -> str:
    if sum(each.isalnum() for each in number) < 3:
        raise ValueError("must have 3 digits or letters at least")
    return telephone_number(number)


class PersonBody(Body):
    """A person, by telephone number."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"numbers": ["+4930123456"]}]})

    numbers: Annotated[
        list[Annotated[str, Described(min_length=3, max_length=64), AfterValidator(_whole)]],
        Described(
            min_length=1, max_length=10,
            description="The person's numbers: with country and plus, or as your trunks write them.",
        ),
    ]  # fmt: skip


class ErasureBody(PersonBody):
    """Whose number is to be erased."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"numbers": ["+4930123456"], "dry_run": True}]})

    dry_run: Annotated[bool, Described(description="Only count what would be erased.")] = False


def personal_data_routes(data: PersonalData | None) -> APIRouter:
    """`POST /v1/personal-data/export` and `/erase`."""
    router = APIRouter(prefix="/v1/personal-data", tags=["personal data"])

    @router.post(
        "/export",
        operation_id="export_personal_data",
        summary="Everything that is kept on a person",
        responses=_answers("Everything that names the numbers."),
    )
    async def export(request: Request, body: PersonBody) -> Response:
        """Call records, payments, ladders and what waits to be sent, as they are kept. Where
        numbers are kept as pseudonyms, these are looked up by every key."""
        log.info("agent_request", operation="export_personal_data", agent=request.state.agent)
        if data is None:
            return problem(404, _NONE)
        try:
            return Response(msgspec.json.encode(await data.export(body.numbers)), media_type=_JSON)
        except Unreadable as error:
            return problem(503, str(error))

    @router.post(
        "/erase",
        operation_id="erase_personal_data",
        summary="Erase a person's numbers",
        responses=_answers("What was erased, and what is left.", "Erasure"),
    )
    async def erase(request: Request, body: ErasureBody) -> Response:
        """Payments stay without the number: the books need them. What is under way is left, and
        named in `left`: ask again when it is over. The databases are rewritten, so that no octet of
        the number is left in their files; payments wait meanwhile."""
        what = "count_personal_data" if body.dry_run else "erase_personal_data"
        log.info("agent_request", operation=what, agent=request.state.agent)
        if data is None:
            return problem(404, _NONE)
        try:
            done = await data.erase(body.numbers, dry_run=body.dry_run)
        except Unreadable as error:
            return problem(503, str(error))
        return Response(msgspec.json.encode(done), media_type=_JSON)

    return router


def _answers(description: str, model: str = "") -> Answers:
    schema = {"$ref": f"#/components/schemas/{model}"} if model else {"type": "object"}
    found: dict[str, Any] = {"description": description, "content": {_JSON: {"schema": schema}}}
    return {200: found, **problem_answers(401, 404, 413, 422, 503)}
