"""Serves the agents' page: files of the package, held in memory, with entity tags (RFC 9110 section
8.8.3).

Rule 1: the page names the hash of every script and style that it loads (Subresource Integrity), so
        that a browser runs none that was changed on its way. Modules that others import are
        preloaded with theirs: an import takes what was preloaded, or nothing. The sentences of
        each language are named with theirs, and fetched by it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePath
from typing import Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from b2bua.config.page_messages import Messages, shipped_messages

MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
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


_STYLE: Final = '<link rel="stylesheet" href="style.css">'
_LANGUAGE: Final = '<meta name="language" content="">'
_SCRIPT: Final = '<script type="module" src="app.js"></script>'


def integrity(body: bytes) -> str:
    """The hash of a script or style, as the page names it (Subresource Integrity section 3.1)."""
    return f"sha384-{base64.b64encode(hashlib.sha384(body).digest()).decode()}"


def with_integrity(page: str, bodies: Mapping[str, bytes]) -> str:
    """The page with the hashes of its style and scripts. `bodies`: by their names. Raises
    ValueError where the page does not load them as it did."""
    if page.count(_STYLE) != 1 or page.count(_SCRIPT) != 1:
        raise ValueError("index.html: expected style.css and app.js, each loaded once")
    languages = [
        f'<link rel="messages" hreflang="{PurePath(name).stem}" href="{name}" integrity="{integrity(body)}">'
        for name, body in bodies.items()
        if name.startswith("messages/")
    ]
    modules = sorted(name for name in bodies if name.endswith(".js") and name != "app.js")
    preloads = [
        f'<link rel="modulepreload" href="{name}" integrity="{integrity(bodies[name])}">' for name in modules
    ]
    style = _STYLE.replace(">", f' integrity="{integrity(bodies["style.css"])}">')
    script = _SCRIPT.replace("></", f' integrity="{integrity(bodies["app.js"])}"></')
    return page.replace(_STYLE, style).replace(_SCRIPT, "\n  ".join([*languages, *preloads, script]))


def load_pages(messages: Mapping[str, Messages] | None = None, language: str = "") -> dict[str, Page]:
    """Path to page, for every file of the package's `web` folder; `/` is the page itself.
    `messages`: its sentences by language, ours where None; `language`: of who has chosen none;
    "": that of their browser."""
    entries = (files("b2bua.api") / "web").iterdir()
    bodies = {each.name: each.read_bytes() for each in entries if PurePath(each.name).suffix in MEDIA_TYPES}
    for each, sentences in (messages or shipped_messages()).items():
        bodies[f"messages/{each}.json"] = msgspec.json.encode(sentences)
    index = bodies["index.html"].decode().replace(_LANGUAGE, _LANGUAGE.replace('""', f'"{language}"'))
    bodies["index.html"] = with_integrity(index, bodies).encode()
    pages = {
        f"/{name}": Page(
            body, MEDIA_TYPES[PurePath(name).suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        )
        for name, body in bodies.items()
    }
    pages["/"] = pages.pop("/index.html")
    return pages


def add_pages(app: FastAPI, messages: Mapping[str, Messages] | None = None, language: str = "") -> None:
    """Serve the page and its parts, without a token: they hold no data. The rest: as in
    `load_pages`."""
    for path, page in load_pages(messages, language).items():

        async def get_page(request: Request, page: Page = page) -> Response:
            return page.respond(request)

        app.add_route(path, get_page, methods=["GET"], include_in_schema=False)
