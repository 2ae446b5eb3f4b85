"""A carrier that calls, or is called, and whose customer keys what is asked for, in a habit of its
own."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator

import pylibsrtp

from b2bua.call.routing.trunk import Trunk
from b2bua.preflight.phone import MediaPlace, TrunkPhone
from b2bua.preflight.report import Report
from b2bua.preflight.trial import Plan, try_trunk
from b2bua.sip.hop import Bind, Transport
from b2bua.sip.transport.tls import TlsContexts
from tests.line_habits import Habit, write_keys
from tests.stack import free_port, media_ports
from tests.wire.sip_peer import HOST, Call, Heard, SipPeer

KEY = bytes(range(30))
CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd\r\n"
_KEYS = re.compile(r"Key ([0-9 ]+) on")


class KeyingCarrier:
    """`described`: the host of its SDP; RTP leaves from another port where it is not HOST."""

    def __init__(
        self, habit: Habit, *, infos: bool = False, encrypted: bool = False, described: str = HOST
    ) -> None:
        self.peer = SipPeer()
        self.habit, self.infos, self.encrypted, self.described = habit, infos, encrypted, described
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.call: Call | None = None
        self._rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._rtp.bind((HOST, 0))
        self._far = (HOST, 0)
        self._tx: pylibsrtp.Session | None = None
        if encrypted:
            kind = pylibsrtp.Policy.SSRC_ANY_OUTBOUND
            self._tx = pylibsrtp.Session(pylibsrtp.Policy(key=KEY, ssrc_type=kind))

    def close(self) -> None:
        self.peer.close()
        self._rtp.close()

    def ask(self, text: str) -> None:
        """What a person would read."""
        found = _KEYS.search(text)
        if found is not None:
            self.asked.put_nowait(found[1].replace(" ", ""))

    def sdp(self) -> str:
        kind = self.habit.codec
        return (
            f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {self.described}\r\nt=0 0\r\n"
            f"m=audio {self._rtp.getsockname()[1]} RTP/{'S' * self.encrypted}AVP {kind} 101\r\n"
            f"a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n{CRYPTO * self.encrypted}"
        )

    async def call_in(self, **headers: str) -> None:
        """Call, and answer a reliable provisional with PRACK where there is one."""
        invite = self.peer.request("INVITE", body=self.sdp(), **headers)
        self.peer.send(invite)
        if "100rel" in headers.get("Require", ""):
            ringing = await self.peer.hear("180", 30)
            self.call = Call.placed(ringing)
            rack = f"{ringing.one('RSeq')} 1 INVITE"
            self.peer.send(self.peer.request("PRACK", call=self.call, cseq=2, RAck=rack))
        answer = await self.peer.hear("200", 30)
        while "INVITE" not in answer.one("CSeq"):
            answer = await self.peer.hear("200", 30)
        self.call = Call.placed(answer)
        self.peer.send(self.peer.request("ACK", call=self.call))
        self._follow(answer)

    async def be_called(self, early: int = 0) -> None:
        """Answer a call; `early`: packets of media before."""
        invite = await self.peer.hear("INVITE", 30)
        self._follow(invite)
        if early:
            self.peer.reply(invite, 183, body=self.sdp())
            for _, octets in write_keys("", self.habit, before=early, after=0):
                self._send(octets)
                await asyncio.sleep(0.02)
        self.peer.reply(invite, 200, body=self.sdp(), Server="Fake 1.0")
        await self.peer.hear("ACK", 30)
        self.call = Call.taken(invite)

    async def key(self) -> None:
        """Key what is asked for."""
        keys = await self.asked.get()
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for at, octets in write_keys("" if self.infos else keys, self.habit):
            await asyncio.sleep(begin + at - loop.time())
            self._send(octets)
        for cseq, key in enumerate(keys if self.infos else "", 10):
            body = f"Signal={key}\r\nDuration=160\r\n"
            kind = "application/dtmf-relay"
            request = self.peer.request("INFO", call=self.call, cseq=cseq, body=body, Content_Type=kind)
            self.peer.send(request)
            await self.peer.hear("200", 30)

    def _follow(self, message: Heard) -> None:
        found = re.search(r"m=audio (\d+) ", message.body)
        assert found is not None, message.text
        self._far = (HOST, int(found[1]))

    def _send(self, octets: bytes) -> None:
        self._rtp.sendto(self._tx.protect(octets) if self._tx is not None else octets, self._far)


def trunk_phone(carrier_port: int, *, encrypted: bool = False) -> TrunkPhone:
    """The telephone of a preflight on a trunk at this port."""
    low, _, high = media_ports(200).partition("-")
    trunk = Trunk("carrier", HOST, carrier_port)
    place = MediaPlace(HOST, "", int(low), int(high))
    binds = [Bind(Transport.UDP, HOST, free_port())]
    return TrunkPhone(trunk, binds, TlsContexts(), place, encrypted=encrypted)


@contextlib.asynccontextmanager
async def opened(carrier: KeyingCarrier, *, encrypted: bool = False) -> AsyncIterator[TrunkPhone]:
    phone = trunk_phone(carrier.peer.port, encrypted=encrypted)
    await phone.open()
    carrier.peer.engine = phone.address
    try:
        yield phone
    finally:
        await phone.close()
        carrier.close()


def plan(carrier: KeyingCarrier, number: str = "") -> Plan:
    """A person at the carrier's telephone keys six keys."""
    return Plan(
        section="carrier", number=number, caller="preflight", keys=6, by_hand=True, patience=30.0,
        ask=carrier.ask, now=lambda: "2026-12-01T00:00:00.000Z", current={}, is_carrier=True,
    )  # fmt: skip


async def try_in(carrier: KeyingCarrier, **headers: str) -> Report:
    """A call in, and its keys."""
    async with opened(carrier) as phone:
        trial = asyncio.create_task(try_trunk(phone, plan(carrier)))
        await carrier.call_in(**headers)
        await carrier.key()
        return await trial
