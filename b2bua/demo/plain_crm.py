"""A plain CRM, as companies have one: an order in a page, with the form for its payment in it.

Made to be copied: its server needs nothing but Python, its page neither a framework nor a build
step (docs/embedding.md).

Rule 1: the key of Tonewall's API stays in the server. A browser gets a token for one call, which
        ends within minutes.
Rule 2: a token is given to our own page alone. A real CRM gives it to whom it has signed in.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

_TIMEOUT: Final = 10.0  # seconds
_FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/crm.js": ("crm.js", "text/javascript; charset=utf-8"),
    "/crm.css": ("crm.css", "text/css; charset=utf-8"),
}
AGENT: Final = "crm-agent"
"""Who is signed in to the CRM, and under whose name the payments are."""
CUSTOMER: Final = "+447700900123"
"""The number that the CRM has of its customer, by which Tonewall finds their call."""


class NoToken(Exception):
    """Tonewall gave none. The text says why, for the agent."""


class PlainCrm:
    """`start()`, then `connect` it with a Tonewall. Its address has to be one of `[api] origins`
    there, so it is known before Tonewall starts."""

    def __init__(self) -> None:
        self.tonewall = ""
        """The address of Tonewall's API; empty until it is known."""
        self._key = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    @property
    def origin(self) -> str:
        """The address of the page, as a browser writes it."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Serve from a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """End it, once the requests that it has are answered."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def connect(self, tonewall: str, key: str) -> None:
        """`tonewall`: the address of its API; `key`: of an integration with the scope `embed`."""
        self.tonewall, self._key = tonewall, key

    def fetch_token(self) -> dict[str, str]:
        """The token for the customer's call, and the call's id. Raises NoToken."""
        request = Request(  # noqa: S310 - the address that it was connected with
            f"{self.tonewall}/v1/embed-tokens",
            data=json.dumps({"agent": AGENT, "call": f"caller:{CUSTOMER}"}).encode(),
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
        )
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=_TIMEOUT) as answer:
                given = json.load(answer)
        except HTTPError as error:
            if error.code == 404:
                raise NoToken("This customer is in no call now.") from None
            raise NoToken(f"Tonewall answered {error.code}.") from None
        except (URLError, TimeoutError, ValueError):
            raise NoToken("Tonewall does not answer.") from None
        return {"token": given["token"], "call": given["call"]}

    def read(self, path: str) -> tuple[str, bytes] | None:
        """The type and the octets of a file of the page."""
        if path not in _FILES:
            return None
        name, kind = _FILES[path]
        text = (files("b2bua.demo") / "crm_page" / name).read_text()
        return kind, text.replace("{tonewall}", self.tonewall).encode()

    @property
    def policy(self) -> str:
        """The Content-Security-Policy of a page with the element: Tonewall, and nobody else."""
        return (
            f"default-src 'none'; script-src 'self' {self.tonewall}; style-src 'self'; "
            f"connect-src 'self' {self.tonewall}; require-trusted-types-for 'script'; "
            "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )


def _handler(crm: PlainCrm) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _TIMEOUT

        def do_GET(self) -> None:
            found = crm.read(self.path) if self._is_ours() else None
            if found is None:
                self.send_error(404)
            else:
                self._send(200, *found)

        def do_POST(self) -> None:
            # A page of another origin says so, and a name that was made to lead here is another
            # host.
            if not self._is_ours() or self.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
                self.send_error(403)
            elif self.path != "/token":
                self.send_error(404)
            else:
                try:
                    self._send_json(200, crm.fetch_token())
                except NoToken as error:
                    self._send_json(409, {"error": str(error)})

        def _is_ours(self) -> bool:
            return f"http://{self.headers.get('Host', '')}" == crm.origin

        def _send_json(self, status: int, body: dict[str, str]) -> None:
            self._send(status, "application/json", json.dumps(body).encode())

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", crm.policy)
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the demo has the terminal."""

    return Handler
