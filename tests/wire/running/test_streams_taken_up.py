"""kill -9 of b2bua while calls are up over TCP and TLS: their connections are gone, and they go on
over new ones."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.stack import PATIENCE, Stack, free_port, running, until
from tests.wire import certificates
from tests.wire.certificates import Authority
from tests.wire.running.kept_calls import ANSWER, OFFER, answer, b2bua_killed, ring
from tests.wire.sip_peer import HOST, Call
from tests.wire.stream_peer import StreamPeer

FAR = "127.0.0.2"


class Scene:
    """A carrier and a PBX that speak TCP or TLS, with a whole Tonewall between them."""

    def __init__(self, directory: Path, transport: str) -> None:
        self.transport, self.port = transport, free_port()
        self.carrier, self.pbx = (StreamPeer(host, tls=transport == "tls") for host in (HOST, FAR))
        self.context: ssl.SSLContext | None = None
        self._listening: dict[str, ssl.SSLContext] = {}
        general = {"listen": f"{transport}:{HOST}:{self.port}", "spare": "yes"}
        keys = {"transport": transport}
        if transport == "tls":
            authority = Authority(directory)
            self.context = certificates.client(authority.file)
            general |= dict(zip(("tls_certificate", "tls_key"), authority.issue(HOST), strict=True))
            keys["tls_ca"] = authority.file
            self._listening = {
                peer.host: certificates.server(authority.issue(peer.host))
                for peer in (self.carrier, self.pbx)
            }
        extra = {"general": general, "carrier": keys, "pbx": {"host": FAR, **keys}}
        self.stack = Stack(directory, self.carrier.port, self.pbx.port, extra=extra)

    @contextlib.asynccontextmanager
    async def play(self) -> AsyncIterator[None]:
        try:
            for peer in (self.carrier, self.pbx):
                peer.engine = (HOST, self.port)
                await peer.listen(self._listening.get(peer.host))
            async with running(self.stack):
                await self.carrier.connect(self.context)
                yield
        finally:
            for peer in (self.carrier, self.pbx):
                await peer.stop()
                peer.close()


@pytest.fixture(params=["tcp", "tls"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    return Scene(tmp_path, request.param)


async def changed(asking: StreamPeer, other: StreamPeer, call: Call, cseq: int) -> None:
    """A re-INVITE of one side reaches the other, and its answer comes back."""
    asking.send(asking.request("INVITE", call=call, cseq=cseq, body=OFFER))
    other.reply(await other.hear("INVITE", PATIENCE), 200, body=ANSWER)
    await asking.hear("200", PATIENCE)
    asking.send(asking.request("ACK", call=call, cseq=cseq))
    await other.hear("ACK", PATIENCE)


async def test_a_call_over_connections_is_changed_and_hung_up_over_new_ones(scene: Scene) -> None:
    carrier, pbx, stack = scene.carrier, scene.pbx, scene.stack
    async with scene.play():
        calls = []
        for _ in range(2):
            invite, _ = await ring(carrier, pbx)
            calls.append(await answer(carrier, pbx, invite))
        ringing, _ = await ring(carrier, pbx)
        await stack.calls_up(2)
        await b2bua_killed(stack, 3)
        # The PBX comes back, the carrier is called.
        await pbx.connect(scene.context)
        (near, far), (near_too, _) = calls
        await changed(pbx, carrier, far, cseq=2)
        assert carrier.accepted  # by a health check, if not by the re-INVITE
        await changed(carrier, pbx, near, cseq=2)
        pbx.send(pbx.request("BYE", call=far, cseq=3))
        carrier.reply(await carrier.hear("BYE", PATIENCE), 200)
        await pbx.hear("200", PATIENCE)
        carrier.send(carrier.request("BYE", call=near_too, cseq=2))
        pbx.reply(await pbx.hear("BYE", PATIENCE), 200)
        await carrier.hear("200", PATIENCE)
        # What rang is answered, and its answer goes to the carrier.
        last, _ = await answer(carrier, pbx, ringing)
        carrier.send(carrier.request("BYE", call=last, cseq=2))
        pbx.reply(await pbx.hear("BYE", PATIENCE), 200)
        records = await until(lambda: len(found := stack.records()) == 3 and found, "the records")
        assert {record["end"] for record in records} == {"far end hung up"}
