"""A PBX that registers with the engine, and dynamic trunks for it."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

from b2bua.sip.auth.digest import Digest, Pin
from tests.unit.b2bua.sip.auth.challenges import challenge
from tests.wire.signalling.stage import Stage
from tests.wire.sip_peer import Heard, SipPeer

USER, PASSWORD = "branch", "correct-horse-battery"
DYNAMIC = {"host": "dynamic", "port": 0, "username": USER, "password": PASSWORD, "challenge": True}


def answer_to(
    asked: Heard,
    method: str,
    password: str = PASSWORD,
    which: int = 0,
    user: str = USER,
    uri: str = "sip:bob@127.0.0.1",
) -> dict[str, str]:
    """The header that answers a 401 or 407, as our own client would."""
    header = "Proxy-Authenticate" if asked.what == "407" else "WWW-Authenticate"
    value = asked.all(header)[which]
    line = Digest(user, password, Pin()).answer_challenge(
        challenge(value, code=int(asked.what)), method, uri, 0, "c", opening=True
    )
    assert line is not None
    name, _, rest = line.partition(": ")
    return {name.replace("-", "_"): rest}


class Pbx:
    """Registers as a PBX would, and as it would not."""

    def __init__(self, stage: Stage, peer: SipPeer | None = None) -> None:
        self.stage, self.peer = stage, peer or stage.pbx
        self._cseq = 0

    def send(self, **headers: str) -> str:
        self._cseq += 1
        given = {
            "Contact": self.peer.contact("me"),
            "Call_ID": "r1@pbx",
            "To": f"<sip:{USER}@127.0.0.1>",
        } | headers
        text = self.peer.request("REGISTER", cseq=self._cseq, **given)
        self.peer.send(text)
        return text

    async def challenged(self, **headers: str) -> Heard:
        self.send(**headers)
        return await self.peer.hear("401")

    async def registered(self, which: int = 0, **headers: str) -> Heard:
        """The 200."""
        asked = await self.challenged(**headers)
        self.send(**answer_to(asked, "REGISTER", which=which), **headers)
        return await self.peer.hear("200")


def hops(stage: Stage) -> list[tuple[str, int]]:
    return [(hop.address, hop.port) for hop in stage.bridge.engine.hops("pbx")]


@contextlib.asynccontextmanager
async def pjsua(
    port: int, transport: str = "udp", authority: str = ""
) -> AsyncIterator[tuple[Callable[[str], Awaitable[None]], asyncio.subprocess.Process]]:
    """A pjsua2 that registers, and a function that waits for a line of its. `authority`: whose
    certificates it believes."""
    command = [
        sys.executable, "-m", "tests.wire.peers.registering", str(port), USER, PASSWORD, transport, authority,
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    async def says(wanted: str) -> None:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            while (line := await process.stdout.readline()) != wanted.encode() + b"\n":
                assert line, f"it ended before it said {wanted}"

    try:
        yield says, process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 10)
        if process.returncode is None:
            process.kill()
