"""A whole Tonewall that listens as sip.conf says: UDP and TCP by default, TLS where a certificate
is given."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from pathlib import Path

from tests.stack import Stack, running
from tests.wire.certificates import Authority

HOST = "127.0.0.1"
OPTIONS = (
    "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{via} 127.0.0.1:5999;rport;branch=z9hG4bK{via}\r\n"
    "From: <sip:p@h>;tag=1\r\n"
    "To: <sip:x@h>\r\nCall-ID: {via}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


# The PBX is at another address, so that whoever connects from here, from whatever port, is the
# carrier.
ELSEWHERE = {"pbx": {"host": "127.0.0.2"}}


async def asked(via: str, port: int, tls: ssl.SSLContext | None = None) -> str:
    """The answer to an OPTIONS over a connection."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(
            HOST, port, ssl=tls, server_hostname="b2bua.example" if tls else None
        )
        writer.write(OPTIONS.format(via=via).encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
    return answer.decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


async def test_without_listen_tcp_is_there_at_the_port_of_udp(tmp_path: Path) -> None:
    async with running(Stack(tmp_path, 5998, 5997, extra=ELSEWHERE)) as stack:
        answer = await asked("TCP", stack.sip_port)
        assert answer.startswith("SIP/2.0 200 ")
        assert "UPDATE" in answer


async def test_listen_and_a_trunk_by_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("b2bua.example")
    port = free_port()
    extra = ELSEWHERE | {
        "general": {
            "listen": f"udp:{HOST}:0, tls:{HOST}:{port}", "tls_certificate": certificate, "tls_key": key,
        },
        "carrier": {"transport": "tls", "tls_ca": str(authority.file), "port": "0"},
    }  # fmt: skip
    trusting = ssl.create_default_context(cafile=str(authority.file))
    async with running(Stack(tmp_path, 5998, 5997, extra=extra)) as stack:
        assert (await asked("TLS", port, trusting)).startswith("SIP/2.0 200 ")
        assert json.loads((stack.directory / "run" / "ready.json").read_bytes())["sip_port"] == stack.sip_port
        log = stack.log.read_text()
    assert "Traceback" not in log
