"""Asks the Tonewall on this machine how it is."""

from __future__ import annotations

import json
import ssl
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import HTTPErrorProcessor, HTTPSHandler, ProxyHandler, Request, build_opener

from b2bua.api.own_certificate import ask_verified, running_api


def ask_health(directory: Path, timeout: float, token: str = "") -> dict[str, Any]:
    """The body of `/healthz` of the Tonewall with this `[general] directory`, whatever its status;
    a problem where the token is wrong. `timeout` in seconds. Raises OSError, ValueError,
    KeyError."""
    url = json.loads((directory / "ready.json").read_bytes())["api_url"]
    request = Request(f"{url}/healthz", headers={"Authorization": f"Bearer {token}"} if token else {})  # noqa: S310

    def ask(tls: ssl.SSLContext | None) -> dict[str, Any]:
        opener = build_opener(ProxyHandler({}), HTTPSHandler(context=tls), _AnyStatus())
        with opener.open(request, timeout=timeout) as answer:
            return dict(json.loads(answer.read()))

    return ask_verified(partial(running_api, directory), ask)


class _AnyStatus(HTTPErrorProcessor):
    """Accepts every status: a 503 has the faults in its body."""

    def http_response(self, _request: Any, response: Any) -> Any:
        return response

    def https_response(self, _request: Any, response: Any) -> Any:
        return response
