"""Lets the demo's customer key a card from the agents' page; only in a demo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from b2bua.api.bodies import KeyBody
from b2bua.call.view import NotNow


class Demo(Protocol):
    """The demo's customer, as the API sees them."""

    @property
    def kinds(self) -> Sequence[str]:
        """The customer's cards, by what becomes of them: such as "approved", "declined",
        "mistyped"."""
        ...

    async def key_card(self, call_id: str, kind: str) -> None:
        """Let the customer of that call key that card. Raises NoSuchCall or NotNow."""
        ...


def demo_routes(demo: Demo | None) -> APIRouter:
    """`GET /v1/demo` says whether this is a demo; only there `POST /v1/demo/key` exists."""
    router = APIRouter(include_in_schema=False)
    kinds = list(demo.kinds) if demo else []

    @router.get("/v1/demo", operation_id="describe_demo")
    async def describe_demo() -> Response:
        return JSONResponse({"demo": demo is not None, "cards": kinds})

    if demo is not None:

        @router.post("/v1/demo/key", operation_id="key_demo_card")
        async def key_card(body: KeyBody) -> Response:
            if body.card not in kinds:
                raise NotNow(f"The demo's customer has these cards: {', '.join(kinds)}.")
            await demo.key_card(body.call_id, body.card)
            return JSONResponse({"keying": True}, 202)

    return router
