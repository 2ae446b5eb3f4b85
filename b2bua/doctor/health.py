"""Asks the Tonewall on this machine how it is."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPErrorProcessor, HTTPSHandler, ProxyHandler, Request, build_opener

from b2bua.api.own_certificate import running_api


def ask_health(directory: Path, timeout: float, token: str = "") -> dict[str, Any]:
    """The body of `/healthz` of the Tonewall with this `[general] directory`, whatever its status;
    a problem where the token is wrong. `timeout` in seconds. Raises OSError, ValueError,
    KeyError."""
    try:
        return _ask(directory, timeout, token)
    except URLError as error:
        if not isinstance(error.reason, ssl.SSLCertVerificationError):
            raise
        # Our handshake was the first since the certificate was renewed: it is known by another now.
        return _ask(directory, timeout, token)


def _ask(directory: Path, timeout: float, token: str) -> dict[str, Any]:
    url = json.loads((directory / "ready.json").read_bytes())["api_url"]
    request = Request(f"{url}/healthz", headers={"Authorization": f"Bearer {token}"} if token else {})  # noqa: S310
    secured = HTTPSHandler(context=running_api(directory))
    with build_opener(ProxyHandler({}), secured, _AnyStatus()).open(request, timeout=timeout) as answer:
        return dict(json.loads(answer.read()))


class _AnyStatus(HTTPErrorProcessor):
    """Accepts every status: a 503 has the faults in its body."""

    def http_response(self, _request: Any, response: Any) -> Any:
        return response

    def https_response(self, _request: Any, response: Any) -> Any:
        return response
