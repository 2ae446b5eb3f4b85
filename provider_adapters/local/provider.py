"""The local provider: one provider's interface over real HTTPS on this machine, for tests and the
demo.

    python -m provider_adapters.local.provider --directory DIR [--adapter adyen]

Without `--adapter` it speaks the connector contract.

It makes a certificate authority and a certificate on the spot, writes DIR/ca.pem and DIR/url,
prints one JSON line `{"url": …, "ca_file": …, "api_key": …}` when it listens, and behaves by card
number: docs/connector.md has the table. A payment link leads to a page of its own, which takes the
same cards. GET /test/charges tells what it was asked and what it
charged: last four digits and a SHA-256, never the digits.

It plays the payment provider, so it does hold card numbers in memory while it works: a scan of
Tonewall's processes for digits leaves this one out. It moves no money and must never be given a
real card.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import ssl
from collections.abc import Mapping
from pathlib import Path

from provider_adapters.local.authority import issue
from provider_adapters.local.books import API_KEY, Answer, Books
from provider_adapters.local.dialect import DIALECTS, Dialect, load_dialect
from provider_adapters.local.hosted import PAGES, visit
from tonewall.log import configure_log
from tonewall.process_loop import run_process
from tonewall.streams import drop

_LARGEST = 64 * 1024
_IDLE = 30.0
_LATER = ("/captures", "/voids", "/refunds")  # paths of what is done later


class Provider:
    """What listens: the dialect, and beside it a report for tests."""

    def __init__(self, books: Books, dialect: Dialect, hold: float = 0.0) -> None:
        self._books, self._dialect, self._hold = books, dialect, hold

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """One request."""
        if path == "/test/charges" and method == "GET":
            return Answer(200, self._books.report())
        if path.startswith(PAGES):
            return await visit(self._books, method, path, body)
        answer = await self._dialect.handle(method, path, headers, body)
        if path.endswith(_LATER):
            await asyncio.sleep(self._hold)
        return answer


async def converse(provider: Provider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, one request: HTTP/1.1 as far as our own client needs it."""
    try:
        async with asyncio.timeout(_IDLE):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ", 2)
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
            }
            length = int(headers.get("content-length") or 0)
            body = await reader.readexactly(length) if 0 <= length <= _LARGEST else b""
        answer = await provider.handle(method, path, headers, body)
        if answer is not None:
            content = (answer.page or json.dumps(answer.body)).encode()
            kind = "text/html; charset=utf-8" if answer.page else "application/json"
            start = (
                f"HTTP/1.1 {answer.status} Answer\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
            ).encode()
            writer.write(start + content[: len(content) // 2 if answer.cut else None])
            await writer.drain()
            if not answer.cut:
                writer.close()
                await writer.wait_closed()
    except (ValueError, OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
        pass
    finally:
        await drop(writer)


async def serve(
    directory: Path,
    host: str,
    port: int,
    delay: float,
    unknown_ca: bool,
    adapter: str = "connector",
    hold: float = 0.0,
    mutual: bool = False,
) -> None:
    """Listen until SIGTERM or SIGINT. `mutual`: only clients that show client.pem are heard."""
    ca_file, certificate, key = issue(directory, unknown_ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(ca_file)
    books = Books(delay)
    dialect = load_dialect(adapter, books)
    provider = Provider(books, dialect, hold)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await converse(provider, reader, writer)

    server = await asyncio.start_server(on_connection, host, port, ssl=context, backlog=256)
    async with server:
        url = f"https://{host}:{server.sockets[0].getsockname()[1]}"
        (directory / "url").write_text(url)
        told = {"url": url, "ca_file": str(ca_file), "api_key": API_KEY} | _client_files(directory, dialect)
        print(json.dumps(told), flush=True)
        await stop.wait()


def _client_files(directory: Path, dialect: Dialect) -> dict[str, str]:
    """What else a client of a company's service uses: its certificate, and the public key to which
    bodies are encrypted, which is written here."""
    public_key = getattr(dialect, "public_key", None)
    if public_key is None:
        return {}
    path = directory / "encryption.jwk"
    path.write_text(json.dumps(public_key))
    return {
        "tls_certificate": str(directory / "client.pem"),
        "tls_key": str(directory / "client.key"),
        "encryption_key_file": str(path),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(
        prog="provider_adapters.local.provider", description="A provider to test with."
    )
    arguments.add_argument(
        "--directory", type=Path, required=True, help="for ca.pem, the certificate and url"
    )
    arguments.add_argument(
        "--host", default="127.0.0.1", help="the certificate is for 127.0.0.1 and localhost, always"
    )
    arguments.add_argument("--port", type=int, default=0, help="0: a free one")
    arguments.add_argument("--delay", type=float, default=60.0, help="seconds that the late card takes")
    arguments.add_argument(
        "--hold", type=float, default=0.0, help="seconds that the answer to a capture, void or refund waits"
    )
    arguments.add_argument("--adapter", default="connector", choices=sorted(DIALECTS), help="whose interface")
    arguments.add_argument(
        "--unknown-ca", action="store_true", help="serve a certificate that ca.pem did not sign"
    )
    arguments.add_argument(
        "--mutual", action="store_true", help="hear only clients that show DIR/client.pem (mTLS)"
    )
    arguments.add_argument("--json-log", action="store_true", help="log each charge on standard error")
    chosen = arguments.parse_args()
    configure_log("provider", "info" if chosen.json_log else "error")
    chosen.directory.mkdir(parents=True, exist_ok=True)
    run_process(
        serve(
            chosen.directory,
            chosen.host,
            chosen.port,
            chosen.delay,
            chosen.unknown_ca,
            chosen.adapter,
            chosen.hold,
            chosen.mutual,
        )
    )


if __name__ == "__main__":
    main()
