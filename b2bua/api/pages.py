"""Serves the agents' page: files of the package, held in memory, with entity tags (RFC 9110 section
8.8.3)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePath
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import Response

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A file of the page. `etag`: in quotes, as the header has it."""

    body: bytes
    media_type: str
    etag: str

    def respond(self, request: Request) -> Response:
        """The file, or 304 where the browser has it."""
        # Always asked for again (RFC 9111 section 5.2.2.4): after an update no agent sits in front
        # of an old page.
        headers = {"ETag": self.etag, "Cache-Control": "no-cache"}
        known = [
            tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")
        ]
        if self.etag in known:
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers=headers, media_type=self.media_type)


def load_pages() -> dict[str, Page]:
    """Path to page, for every file of the package's `web` folder; `/` is the page itself."""
    pages: dict[str, Page] = {}
    for entry in (files("b2bua.api") / "web").iterdir():
        media_type = _TYPES.get(PurePath(entry.name).suffix)
        if media_type is not None:
            body = entry.read_bytes()
            pages[f"/{entry.name}"] = Page(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
    pages["/"] = pages.pop("/index.html")
    return pages


def add_pages(app: FastAPI) -> None:
    """Serve the page and its parts, without a token: they hold no data."""
    for path, page in load_pages().items():

        async def get_page(request: Request, page: Page = page) -> Response:
            return page.respond(request)

        app.add_route(path, get_page, methods=["GET"], include_in_schema=False)
