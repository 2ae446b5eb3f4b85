"""The demo's extra: a button that lets the demo's customer key a card. Only there where a demo is
given to the app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from b2bua.api.order import KeyBody
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
    """`GET /v1/demo` says whether this is a demo; only then there is `POST /v1/demo/key`."""
    router = APIRouter(include_in_schema=False)
    kinds = list(demo.kinds) if demo else []

    @router.get("/v1/demo")
    async def about() -> Response:
        return JSONResponse({"demo": demo is not None, "cards": kinds})

    if demo is not None:

        @router.post("/v1/demo/key")
        async def key(body: KeyBody) -> Response:
            if body.card not in kinds:
                raise NotNow(f"The demo's customer has these cards: {', '.join(kinds)}.")
            await demo.key_card(body.call_id, body.card)
            return JSONResponse({"keying": True}, 202)

    return router
