"""Answers the probes of load balancers and of Kubernetes: whether this process lives, and whether
it takes calls.

Rule 1: neither needs a token, so an answer has words of `FAULT_KINDS` alone, and `STOPPING`;
        /healthz has the sentences.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from b2bua.call.desk import CallDesk
from b2bua.call.service_view import reasons_against_calls

LIVEZ, READYZ = "/livez", "/readyz"
STOPPING = "stopping"  # set of an app's state
_NOT_KEPT = {"Cache-Control": "no-store"}


def probe_routes(desk: CallDesk) -> APIRouter:
    """`GET /livez` and `GET /readyz`."""
    router = APIRouter(tags=["service"])

    @router.get(LIVEZ, operation_id="get_liveness", summary="Whether the process answers")
    async def livez() -> Response:
        """200 as long as the process that carries calls answers at all; start it anew where it does
        not. Needs no token."""
        return JSONResponse({"alive": True}, headers=_NOT_KEPT)

    @router.get(
        READYZ,
        operation_id="get_readiness",
        summary="Whether calls are taken",
        responses={503: {"description": "No calls are taken; `reasons` has the faults of /healthz by name."}},
    )
    async def readyz(request: Request) -> Response:
        """200 where calls are taken, else 503. Send calls elsewhere meanwhile. `warnings` has the
        faults that stop no call. Needs no token."""
        reasons = reasons_against_calls(faults := desk.faults())
        warnings = [fault.what for fault in faults if fault.what not in reasons]
        if getattr(request.app.state, STOPPING, False):
            reasons.append(STOPPING)
        return JSONResponse(
            {"ready": not reasons, "reasons": reasons, "warnings": warnings},
            503 if reasons else 200,
            headers=_NOT_KEPT,
        )

    return router
