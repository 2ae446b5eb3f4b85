"""An API that says a call is masked, and that keys were counted, while nothing is masked: the
planted leak."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import ProxyHandler, Request, build_opener


@contextlib.contextmanager
def believing_api(real: str) -> Iterator[str]:
    """The URL of an API that passes on what is read, and swallows masks."""
    opener = build_opener(ProxyHandler({}))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {"Authorization": str(self.headers["Authorization"])}
            with opener.open(Request(real + self.path, headers=headers), timeout=10) as answer:
                body = json.load(answer)
            if isinstance(body, dict):
                body |= {"masked": True, "masked_since": "2026-12-01T08:00:00Z", "keys_dropped": 16}
            self.answer(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer({"masked": True})

        def answer(self, body: object) -> None:
            octets = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *_arguments: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
