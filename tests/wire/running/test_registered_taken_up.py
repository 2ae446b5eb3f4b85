"""kill -9 of b2bua: it registers at its carrier again at once, and calls over TCP reach a PBX once
it has registered again."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from tests.stack import PATIENCE, Stack, free_port, running, until
from tests.wire.running.kept_calls import ANSWER, answer, b2bua_killed, ring
from tests.wire.signalling.registering_pbx import PASSWORD, USER, Pbx
from tests.wire.sip_peer import HOST, SDP, SipPeer
from tests.wire.stream_peer import StreamPeer

FAR = "127.0.0.2"
# Where nobody could ever reach it.
BEHIND_NAT = {"Contact": "<sip:me@192.0.2.55:5099;transport=tcp>"}


async def granted(carrier: SipPeer) -> str:
    """Tonewall registers; the Contact."""
    register = await carrier.hear("REGISTER", PATIENCE)
    contact = register.one("Contact")
    carrier.reply(register, 200, Contact=f"{contact};expires=3600")
    return contact


async def test_registrations_are_made_again_and_calls_reach_who_registers_again(tmp_path: Path) -> None:
    carrier, pbx, port = SipPeer(), StreamPeer(FAR), free_port()
    carrier_keys = {"registration": "yes", "username": "tonewall", "password": PASSWORD}
    pbx_keys = {"host": "dynamic", "transport": "tcp", "username": USER, "password": PASSWORD}
    general = {"listen": f"udp:{HOST}:0, tcp:{HOST}:{port}", "spare": "yes"}
    extra = {"general": general, "carrier": carrier_keys, "pbx": pbx_keys}
    stack = Stack(tmp_path, carrier.port, 0, extra=extra)
    anyone: Any = None
    with contextlib.closing(carrier), contextlib.closing(pbx):
        async with running(stack):
            carrier.engine, pbx.engine = (HOST, stack.sip_port), (HOST, port)
            contact = await granted(carrier)
            await pbx.connect()
            await Pbx(anyone, pbx).registered(**BEHIND_NAT)
            calls = []
            for _ in range(2):
                invite, _ = await ring(carrier, pbx)
                calls.append(await answer(carrier, pbx, invite))
            await stack.calls_up(2)
            await b2bua_killed(stack, 2)
            assert await granted(carrier) == contact
            (first, _), (second, _) = calls
            # Nobody reaches the PBX yet: its half of the call ends by itself.
            carrier.send(carrier.request("BYE", call=first, cseq=2))
            await carrier.hear("200", PATIENCE)
            await until(lambda: len(stack.records()) == 1, "the record of the first call")
            await pbx.connect()
            await Pbx(anyone, pbx).registered(**BEHIND_NAT)
            carrier.send(carrier.request("INVITE", call=second, cseq=2, body=SDP.format("moved")))
            pbx.reply(await pbx.hear("INVITE", PATIENCE), 200, body=ANSWER)
            await carrier.hear("200", PATIENCE)
            carrier.send(carrier.request("ACK", call=second, cseq=2))
            await pbx.hear("ACK", PATIENCE)
            carrier.send(carrier.request("BYE", call=second, cseq=3))
            pbx.reply(await pbx.hear("BYE", PATIENCE), 200)
            await until(lambda: len(stack.records()) == 2, "the record of the second call")
            assert await stack.calls() == []
        await pbx.stop()
