"""Serves the supervisor's page: files of `web/supervisor` and `web/vendor`, and what they share
with the agents' page.

Rule 1: as on the agents' page, a script or style that was changed on its way is not used, nor is a
        module that another imports: the page names the hash of each (Subresource Integrity).
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import PurePath
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import Response

from b2bua.api.pages import MEDIA_TYPES, Page, integrity

SUPERVISOR: Final = "/supervisor"
_FOLDERS: Final = ("supervisor", "vendor")
_LOADED: Final = re.compile(
    r'(?:rel="stylesheet" href|<script defer src|<script type="module" src)="([^"]{1,80})"'
)
_IMPORT: Final = re.compile(r'from "(\.{1,2}/[^"]{1,80})";')
_SCRIPT: Final = '<script type="module" src="supervisor/app.js"></script>'
_LANGUAGE: Final = '<meta name="language" content="">'


def load_supervisor_page(shared: Mapping[str, Page], language: str = "") -> dict[str, Page]:
    """Path to page. `shared`: the agents' page, as `load_pages` has it; `language`: as there.
    Raises KeyError where a script or style is loaded that there is not."""
    bodies = {path.removeprefix("/"): page.body for path, page in shared.items()}
    own = {
        f"{folder}/{each.name}": each.read_bytes()
        for folder in _FOLDERS
        for each in (files("b2bua.api") / "web" / folder).iterdir()
        if PurePath(each.name).suffix in MEDIA_TYPES
    }
    index = (
        own.pop("supervisor/index.html").decode().replace(_LANGUAGE, _LANGUAGE.replace('""', f'"{language}"'))
    )
    own[SUPERVISOR.removeprefix("/")] = _with_integrity(index, bodies | own).encode()
    return {
        f"/{name}": Page(
            body,
            MEDIA_TYPES[PurePath(name).suffix or ".html"],
            f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        )
        for name, body in own.items()
    }


def _with_integrity(page: str, bodies: Mapping[str, bytes]) -> str:
    """The page with the hashes of what it loads, of all modules behind it, and of its sentences."""
    languages = [
        f'<link rel="messages" hreflang="{PurePath(name).stem}" href="{name}" integrity="{integrity(body)}">'
        for name, body in bodies.items()
        if name.startswith("messages/")
    ]
    preloads = [
        f'<link rel="modulepreload" href="{name}" integrity="{integrity(bodies[name])}">'
        for name in sorted(_imports("supervisor/app.js", bodies) - {"supervisor/app.js"})
    ]
    page = page.replace(_SCRIPT, "\n  ".join([*languages, *preloads, _SCRIPT]))
    return _LOADED.sub(lambda found: f'{found[0]} integrity="{integrity(bodies[found[1]])}"', page)


def _imports(name: str, bodies: Mapping[str, bytes]) -> set[str]:
    """This module, and all that it imports."""
    found, waiting = set[str](), [name]
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        folder = posixpath.dirname(module)
        imported = _IMPORT.findall(bodies[module].decode())
        waiting += [posixpath.normpath(posixpath.join(folder, each)) for each in imported]
    return found


def add_supervisor_page(app: FastAPI, shared: Mapping[str, Page], language: str = "") -> None:
    """Serve the page and its parts, without a token: they hold no data."""
    for path, page in load_supervisor_page(shared, language).items():

        async def get_page(request: Request, page: Page = page) -> Response:
            return page.respond(request)

        app.add_route(path, get_page, methods=["GET"], include_in_schema=False)
