"""RFC 4475's torture messages at a running engine: each has the answer that is right, or is counted
and dropped."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket

import pytest

from b2bua.call.leg import LegInvited
from b2bua.call.leg_command import RejectLeg
from b2bua.call.routing.trunk import DYNAMIC, Trunk
from b2bua.sip.endpoint import SipEngine
from b2bua.sip.hop import Bind, Transport
from tests.fixtures.torture import ALL, TAKEN, Torture
from tests.wire.signalling.registering_pbx import PASSWORD, USER, answer_to
from tests.wire.sip_peer import HOST, SipPeer

PROBE = (
    "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bKprobe\r\n"
    "From: <sip:p@h>;tag=1\r\n"
    "To: <sip:x@h>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


# To the REGISTERs, where a trunk that registers sends them and proves its password. It is known by
# that, not by its To, and is called where it came from, not at its Contact: so unksm2 binds, and
# regbadct, whose brackets can be inferred.
REGISTERED = {
    "escnull": (200, []),
    "dblreq": (200, ["<sip:j.user@host.example.com>"]),
    "scalar02": (400, []),
    "regbadct": (200, ["<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"]),
    "unksm2": (200, ["<name:John_Smith>"]),
    "regaut01": (200, []),
    "cparam01": (200, ["<sip:+19725552222@gw1.example.net>"]),
    "cparam02": (200, ["<sip:+19725552222@gw1.example.net;unknownparam>"]),
    "regescrt": (200, ["<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"]),
}


async def answers(message: bytes) -> tuple[list[int], dict[str, int], list[object]]:
    """The codes of all final answers to the message that came before those to a good request behind
    it; counters; events.

    A Via without rport names other ports; what goes there is caught by counting transactions
    instead.
    """
    events: list[object] = []
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((HOST, 0))
        peer.setblocking(False)
        port = peer.getsockname()[1]

        def on_event(leg, event) -> None:
            events.append(event)
            if isinstance(event, LegInvited):
                engine.execute_command(leg, RejectLeg(TAKEN, "Busy Here"))

        engine = SipEngine(
            binds=[Bind(Transport.UDP, HOST, 0)], trunks=[Trunk("peer", HOST, port)], on_event=on_event
        )
        await engine.start()
        codes = []
        try:
            # With rport, answers come back here whatever port the RFC's Via has.
            for datagram in (_with_rport(message), PROBE.format(port=port).encode()):
                await loop.sock_sendto(peer, datagram, (HOST, engine.address[1]))
            async with asyncio.timeout(10):
                while True:
                    heard = await loop.sock_recv(peer, 65536)
                    code = int(re.match(rb"SIP/2\.0 ([0-9]{3}) ", heard)[1])
                    if b"z9hG4bKprobe" in heard:
                        assert code == 200
                        break
                    if code >= 200:
                        codes.append(code)
            return codes, engine.counters(), events
        finally:
            await engine.stop()


def _with_rport(message: bytes) -> bytes:
    """The topmost Via's first parameter becomes rport; how it is written otherwise stays."""
    via = re.search(rb"(?im)^(via|v)[ \t]*:.*?(;|\r\n(?![ \t]))", message, re.DOTALL)
    if via is None or message.startswith(b"SIP/"):
        return message
    end = via.start(2)
    return message[:end] + b";rport" + message[end:]


@pytest.mark.parametrize("torture", ALL, ids=str)
async def test_each_message_is_answered_as_the_rfc_asks_or_counted(torture: Torture):
    codes, counters, events = await answers(torture.message)
    assert set(codes) <= torture.codes, codes
    assert bool(codes) == bool(torture.codes), (torture.codes, counters)
    assert counters.get("errors", 0) == 0
    if not torture.codes:
        assert counters.get("malformed", 0) + counters.get("stray_responses", 0) == 1, counters
    assert any(isinstance(event, LegInvited) for event in events) == (codes == [TAKEN])


@pytest.mark.parametrize("torture", [each for each in ALL if each.message.startswith(b"REGISTER")], ids=str)
async def test_each_register_of_who_proves_its_password_is_answered_as_the_rfc_asks(torture: Torture):
    peer = SipPeer()
    trunks = [
        Trunk("carrier", HOST, peer.port),
        Trunk("pbx", DYNAMIC, 0, username=USER, password=PASSWORD, challenge=True),
    ]
    engine = SipEngine(binds=[Bind(Transport.UDP, HOST, 0)], trunks=trunks, on_event=lambda leg, event: None)
    await engine.start()
    peer.engine = engine.address
    with contextlib.closing(peer.socket):
        try:
            code, contacts = REGISTERED[torture.name]
            plain = re.sub(rb"(?m)^Authorization:.*\r\n", b"", _with_rport(torture.message))
            peer.send(peer.request("REGISTER", Contact=""))
            asked = await peer.hear("401")
            [(name, value)] = answer_to(asked, "REGISTER", uri="sip:example.com").items()
            first, _, rest = plain.decode("latin-1").partition("\r\n")
            peer.socket.sendto(f"{first}\r\n{name}: {value}\r\n{rest}".encode("latin-1"), engine.address)
            heard = await peer.hear(str(code))
            given = [contact.partition(";expires=")[0] for contact in heard.all("Contact")]
            assert not contacts or given == contacts
            peer.send(PROBE.format(port=peer.port))
            await peer.hear("200")
            assert engine.counters().get("errors", 0) == 0
        finally:
            await engine.stop()
