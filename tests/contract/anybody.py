"""Answers that anybody gives: a proxy, a portal, another service. None is a provider's word."""

from __future__ import annotations

from provider_adapters.base import Response

PAGE = b"<!doctype html><html><body><h1>Welcome</h1><p>Please sign in.</p></body></html>"
OF_ANYBODY = {
    f"{status} {name}": Response(status, body)
    for status in (200, 201, 204, 302, 400, 401, 403, 404, 405, 408, 422, 429, 500, 502, 503)
    for name, body in {
        "empty": b"",
        "page": PAGE,
        "garbage": b"\xff\x00{",
        "object": b"{}",
        "list": b"[{}]",
        "null": b"null",
        "other": b'{"status": "ok", "message": "not found", "error": "not_found", "code": "404"}',
    }.items()
}
