"""dnsmasq as the name server of a test, on a free port of loopback."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from typing import Self

from b2bua.sip.trunk.resolve import Resolver
from tests.wire.peers.ports import free_ports, listens, until
from tests.wire.sip_peer import SipPeer

ADDRESS = "host-record=a.pbx.test,127.0.0.1"


class Dnsmasq:
    """One running dnsmasq, which knows nothing but the records that it was given. `stop` it
    whatever happened."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._process: asyncio.subprocess.Process | None = None

    @classmethod
    async def start(cls, *records: str) -> Self:
        """`records`: dnsmasq's own options, such as
        `srv-host=_sip._udp.carrier.test,a.carrier.test,5060,10,5`."""
        server = cls(free_ports())
        await server.serve(*records)
        return server

    @property
    def resolver(self) -> Resolver:
        return Resolver(["127.0.0.1"], self.port)

    async def serve(self, *records: str) -> None:
        """Have these records from now on, and no others."""
        await self.stop()
        self._process = await asyncio.create_subprocess_exec(
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
            "--pid-file=",
            "--user=", "--listen-address=127.0.0.1", "--bind-interfaces", f"--port={self.port}",
            "--local-ttl=1",
            "--local=/test/", *(f"--{record}" for record in records),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        process = self._process
        await until(lambda: listens(self.port) or process.returncode is not None, "dnsmasq to listen")
        if process.returncode is not None:
            raise RuntimeError(f"dnsmasq did not start: exit code {process.returncode}")

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


def available() -> bool:
    return shutil.which("dnsmasq") is not None


def srv(peer: SipPeer, priority: int, weight: int = 0) -> str:
    return f"srv-host=_sip._udp.pbx.test,a.pbx.test,{peer.port},{priority},{weight}"
