"""Opens, shows and closes claims: short codes that link a call to an agent's page.

Rule 1: a code is in the answer to its own agent alone: neither on the feed nor in a log.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import ConfigDict
from pydantic import Field as Described

from b2bua.api.bodies import Body
from b2bua.api.capture_bodies import CaptureBody
from b2bua.api.problems import problem
from b2bua.api.schema import claim_answer, problem_answers
from b2bua.call.desk import CallDesk
from b2bua.call.feature_codes import ClaimView
from tonewall.log import get_logger

log = get_logger(__name__)
ClaimId = Annotated[str, Path(max_length=128, description="The claim's id.")]


class ClaimBody(Body):
    """What is prepared for the call."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"order": {"transaction_id": "INV-2041", "amount": 4990, "currency": "EUR"}}]
        }
    )

    order: Annotated[
        CaptureBody | None, Described(description="Started by the telephone's own code, in that call.")
    ] = None


def claim_routes(desk: CallDesk) -> APIRouter:
    """`/v1/claims`."""
    router = APIRouter(prefix="/v1/claims", tags=["calls"])

    @router.post(
        "",
        operation_id="open_claim",
        summary="Ask for a short code that an agent keys on the telephone",
        status_code=201,
        responses={201: claim_answer("The code."), **problem_answers(401, 409, 413, 422)},
    )
    async def open_claim(request: Request, body: ClaimBody | None = None) -> Response:
        """The agent keys `*`, the code, `#` on the telephone of their call, whose trunk has
        `feature_codes`; the customer does not hear it. The call's `claim` is this one's id then,
        and the telephone acts for this token. A code is of one use, and a new one replaces it."""
        log.info("agent_request", operation="open_claim", agent=request.state.agent)
        order = body.order if body is not None else None
        found = desk.open_claim(
            request.state.agent,
            None if order is None else order.to_order(),
            allow_repeat=order is not None and order.allow_repeat,
        )
        return _respond(found, 201)

    @router.get(
        "/{claim_id}",
        operation_id="get_claim",
        summary="A claim of one's own",
        responses={200: claim_answer("The claim."), **problem_answers(401, 404, 422)},
    )
    async def get_claim(request: Request, claim_id: ClaimId) -> Response:
        """`call` is the call that it was keyed in; `code` is empty from then on. 404 once it has
        expired."""
        found = desk.find_claim(claim_id, request.state.agent)
        return _respond(found) if found is not None else problem(404, "There is no such claim any more.")

    @router.delete(
        "/{claim_id}",
        operation_id="close_claim",
        summary="Give a short code up",
        status_code=204,
        responses={204: {"description": "The code links nothing."}, **problem_answers(401, 422)},
    )
    async def close_claim(request: Request, claim_id: ClaimId) -> Response:
        """A call that is linked stays so."""
        desk.close_claim(claim_id, request.state.agent)
        return Response(status_code=204)

    return router


def _respond(claim: ClaimView, status: int = 200) -> Response:
    return Response(msgspec.json.encode(claim), status, media_type="application/json")
