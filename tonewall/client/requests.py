"""Requests of the client and what becomes of their answers, without a socket.

Rule 1: what may have been carried out is sent again only where that is harmless: it reads, or its
        Idempotency-Key has the service carry it out once.
Rule 2: an id never leads to another address than the one it is put into.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

from tonewall.client.errors import ApiError, error_for

MAX_PAUSE: Final = 30.0
_FIRST_PAUSE: Final = 0.5
_UNDER_WAY: Final = "urn:tonewall:under-way"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it is sent. `also`: a code that is an answer, not an error."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    content: bytes | None
    also: int | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether it is harmless to send it twice."""
        return self.method == "GET" or "Idempotency-Key" in self.headers

    def read(self, status: int, content_type: str, content: bytes, retry_after: str = "") -> Any:
        """The answer. Raises ApiError."""
        if status >= 300 and status != self.also:
            raise error_for(status, content_type, content, retry_after)
        if not content:
            return None
        if content_type.partition(";")[0] == "application/json":
            return json.loads(content)
        return content.decode()

    def pause(self, error: ApiError | None, tries: int) -> float | None:
        """Seconds until it is sent again; None: not again. `error`: None where the connection was
        lost; `tries`: how often it was sent."""
        if not self.is_repeatable:
            return None
        if error is not None and error.status not in (429, 503) and error.type != _UNDER_WAY:
            return None
        wanted = error.retry_after if error is not None else None
        return min(_FIRST_PAUSE * 2 ** (tries - 1) if wanted is None else wanted, MAX_PAUSE)


class SyncSender(Protocol):
    """Something that sends requests and waits for their answers."""

    def _send(self, request: Request) -> Any: ...


class AsyncSender(Protocol):
    """Something that sends requests, and can be awaited."""

    async def _send(self, request: Request) -> Any: ...


def make_request(
    method: str,
    path: str,
    *names: str,
    query: Mapping[str, object] | None = None,
    body: Mapping[str, object] | None = None,
    key: str | None = None,
    has_key: bool = False,
    also: int | None = None,
) -> Request:
    """A request. `names`: what stands in the path, in order; `key`: the Idempotency-Key, made where
    it is None and the operation has one (`has_key`). Raises ValueError."""
    headers = {"Accept": "application/json, */*;q=0.5"}
    if has_key:
        headers["Idempotency-Key"] = key or str(uuid.uuid4())
    content = None
    if body is not None:
        content = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    return Request(method, _fill(path, names), _written(query or {}), headers, content, also)


def checked_address(address: str, *, plain_http: bool) -> str:
    """The address of the service. Raises ValueError where the token would pass in the clear."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("The address must begin with https:// and a host.")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not plain_http:
        raise ValueError("Over http:// the token would pass in the clear: use https://, or plain_http=True.")
    return address.rstrip("/")


def _fill(path: str, names: tuple[str, ...]) -> str:
    parts = iter(names)
    filled = [_name(next(parts)) if part.startswith("{") else part for part in path.split("/")]
    return "/".join(filled)


def _name(name: str) -> str:
    if name in ("", ".", "..") or "/" in name:
        raise ValueError("An id is empty, or has a slash.")
    return quote(name, safe="")


def _written(query: Mapping[str, object]) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in query.items()
        if value is not None
    }
