"""Serves the form for payments to pages of the company: the module of `<tonewall-payment>`, and the
page /embed, which has it in a frame.

Rule 1: nothing of it is there, unless the settings name a page that may have it.
Rule 2: /embed may be framed by the pages that `frame_ancestors` names, and the API be used by those
        that `origins` names; never with cookies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.middleware.cors import CORSMiddleware

from b2bua.api.hardening import security_headers
from b2bua.api.pages import MEDIA_TYPES, Page

FRAME: Final = "/embed"
_ORIGINS: Final = '<meta name="origins" content="">'


def add_cors(app: FastAPI, origins: Sequence[str]) -> None:
    """Answer the browsers of these pages as the Fetch standard wants it (CORS)."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_credentials=False,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
            expose_headers=["Date", "Location", "Retry-After"],
        )


def framed_headers(frame_ancestors: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """The headers of /embed, by its path."""
    return {FRAME: security_headers(" ".join(frame_ancestors))} if frame_ancestors else {}


def add_embedded(app: FastAPI, frame_ancestors: Sequence[str], origins: Sequence[str]) -> None:
    """Serve the files of `web/embed`, without a token: they hold no data."""
    if not frame_ancestors and not origins:
        return
    for each in (files("b2bua.api") / "web" / "embed").iterdir():
        suffix = each.name[each.name.rfind(".") :]
        if suffix not in MEDIA_TYPES or (suffix == ".html" and not frame_ancestors):
            continue
        body, path = each.read_bytes(), f"{FRAME}/{each.name}"
        if suffix == ".html":
            # The settings let nothing into an origin that HTML could take for something else.
            named = _ORIGINS.replace('""', f'"{" ".join(frame_ancestors)}"')
            body, path = body.replace(_ORIGINS.encode(), named.encode()), FRAME
        page = Page(body, MEDIA_TYPES[suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')

        async def get_page(request: Request, page: Page = page) -> Response:
            return page.respond(request)

        app.add_route(path, get_page, methods=["GET"], include_in_schema=False)
