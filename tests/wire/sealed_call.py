"""A call between two ends that send and keep every packet themselves, each with SRTP or without:
what came to them can be opened later, in its order.

Rule 1: both ends send all the time, at the pace of speech; the customer's sequence numbers and its
        clock wrap within the first second.
Rule 2: what cannot be opened, or has an index that came before, is a fault (`End.opened`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import pylibsrtp
from aiortc.rtp import RtpPacket

from media.formats.rtp import Rtp, Ssrc, serialise
from media.formats.telephone_event import TelephoneEvent
from media.formats.telephone_event import serialise as serialise_event
from tests.stack import PATIENCE, Stack, running, until
from tests.wire.handmade import EVENT_TYPE, MediaPair, offer, trunk
from tests.wire.sip_peer import HOST, Call, SipPeer

# Approved by the local provider; 15 digits need no end.
KEYS = "378282246310005" + "11397391"
SUITE = "AES_CM_128_HMAC_SHA1_80"
_PROFILE = pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80
_PACE, _SAMPLES = 0.02, 160  # seconds and samples of a packet
_CODES = {key: code for code, key in enumerate("0123456789*#")}


def _session(master: bytes, kind: int) -> pylibsrtp.Session:
    return pylibsrtp.Session(pylibsrtp.Policy(key=master, ssrc_type=kind, srtp_profile=_PROFILE))


@dataclass
class End:
    """One end. `key`: its master key of SRTP with the salt; b"": it speaks in clear. `presses`: the
    packets of keys that are to be sent, in place of speech."""

    peer: SipPeer
    ssrc: int
    key: bytes = b""
    media: MediaPair = field(default_factory=MediaPair)
    far: tuple[str, int] = (HOST, 0)
    presses: deque[tuple[bytes, int]] = field(default_factory=deque)
    packets: list[RtpPacket] = field(default_factory=list)
    _tx: pylibsrtp.Session | None = None
    _rx: pylibsrtp.Session | None = None
    _sequence: int = 65_500
    _clock: int = 0xFFFF_F000
    _read: int = 0

    def body(self, who: str) -> str:
        """Its session description."""
        plain = offer(self.media.port, who)
        if not self.key:
            return plain
        inline = base64.b64encode(self.key).decode()
        return plain.replace("RTP/AVP", "RTP/SAVP") + f"a=crypto:1 {SUITE} inline:{inline}\r\n"

    def learn(self, body: str) -> None:
        """What Tonewall describes to it."""
        [port] = re.findall(r"m=audio (\d+) ", body)
        self.far = (HOST, int(port))
        found = re.findall(rf"a=crypto:\d+ {SUITE} inline:(\S+)", body)
        assert bool(found) is bool(self.key), body
        if self.key:
            self._tx = _session(self.key, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
            self._rx = _session(base64.b64decode(found[0]), pylibsrtp.Policy.SSRC_ANY_INBOUND)

    def press(self, keys: str) -> None:
        """Have these keys pressed, 80 ms each, with 40 ms of speech behind."""
        for key in keys:
            for step in (1, 2, 3, 4, 4, 4):
                event = TelephoneEvent(code=_CODES[key], end=step == 4, duration=_SAMPLES * step)
                self.presses.append((serialise_event(event), step))
            self.presses.extend([(b"", 0)] * 2)

    def hold(self, key: str, packets: int) -> None:
        """Have this key held for so many packets."""
        for step in range(1, packets + 1):
            event = TelephoneEvent(code=_CODES[key], end=step == packets, duration=_SAMPLES * step)
            self.presses.append((serialise_event(event), step))

    def send(self) -> None:
        """The next 20 ms."""
        payload, step = self.presses.popleft() if self.presses else (b"", 0)
        self._sequence += 1
        self._clock += _SAMPLES
        began = self._clock - _SAMPLES * step  # of an event (RFC 4733 section 2.1)
        packet = serialise(
            Rtp(
                payload_type=EVENT_TYPE if payload else 0,
                marker=step == 1,
                sequence_number=self._sequence % 0x10000,
                rtp_timestamp=began % 2**32,
                ssrc=Ssrc(self.ssrc),
                payload=payload or b"\x5a" * _SAMPLES,
            )
        )
        self.media.rtp.send(packet if self._tx is None else self._tx.protect(packet), self.far)

    def opened(self) -> list[RtpPacket]:
        """All that came by now. Raises pylibsrtp.Error for what cannot be opened, and for an index
        that came before (RFC 3711 section 3.3.2)."""
        for data, _ in self.media.rtp.heard[self._read :]:
            self.packets.append(RtpPacket.parse(data if self._rx is None else self._rx.unprotect(data)))
        self._read = len(self.media.rtp.heard)
        return self.packets

    def events(self) -> int:
        """How many packets with events have come by now."""
        return sum(each.payload_type == EVENT_TYPE or len(each.payload) == 4 for each in self.opened())


@dataclass
class SealedCall:
    """A call that is up, and its two ends."""

    stack: Stack
    customer: End
    agent: End
    near: Call
    call_id: str

    async def talk(self, packets: int = 10) -> None:
        """Until each end has heard so many packets more."""
        before = [len(each.opened()) for each in (self.customer, self.agent)]
        for each, heard in zip((self.customer, self.agent), before, strict=True):

            def more(each: End = each, wanted: int = heard + packets) -> bool:
                return len(each.opened()) >= wanted

            await until(more, f"{packets} more packets at an end")

    async def keyed(self, keys: str, transaction: str) -> None:
        """Start a payment, and let the customer key all of it."""
        await self.stack.start_capture(self.call_id, transaction=transaction)
        self.customer.press(keys)
        await self.stack.stage(self.call_id, "ready")

    async def pay_over_two_deaths(self, kill: Callable[[], Awaitable[None]]) -> None:
        """Pay with `KEYS`. `kill`: until others carry the call; in talk, and while the customer
        keys."""
        await kill()
        await self.talk()
        await self.stack.await_ready()  # payers are there again
        await self.stack.start_capture(self.call_id, transaction="first")
        self.customer.press(KEYS)

        async def counted() -> bool:
            fields = (await self.stack.call(self.call_id))["capture"]["fields"]
            return sum(field["count"] for field in fields) >= 4

        await until(counted, "4 keys to be counted")
        await kill()
        await self.stack.stage(self.call_id, "aborted")
        assert (await self.stack.call(self.call_id))["masked"]
        await until(lambda: not self.customer.presses, "the last key")
        await self.talk()
        await self.stack.await_ready()
        await self.keyed(KEYS, "second")
        assert (await self.stack.submit(self.call_id))["type"] == "approved"
        await self.stack.unmasked(self.call_id)
        await self.talk()

    async def hang_up(self) -> None:
        """The customer hangs up; until the agent's end knows it."""
        self.customer.peer.send(self.customer.peer.request("BYE", call=self.near, cseq=9))
        await self.customer.peer.hear("200", PATIENCE)
        self.agent.peer.reply(await self.agent.peer.hear("BYE", PATIENCE), 200)


@contextlib.asynccontextmanager
async def sealed_call(
    folder: Path, sealed: Collection[str] = (), **more: dict[str, str]
) -> AsyncIterator[SealedCall]:
    """`sealed`: which of "customer" and "agent" have SRTP; `more`: sections of the settings."""
    extra = {
        **more,
        "carrier": {"srtp": "yes" if "customer" in sealed else "no"},
        "pbx": {"srtp": "yes" if "agent" in sealed else "no"},
    }
    with trunk() as carrier, trunk() as pbx:
        ends = []
        for number, (who, peer) in enumerate((("customer", carrier), ("agent", pbx))):
            key = bytes([number + 1]) * 30 if who in sealed else b""
            ends.append(End(peer, 0x0C0FFEE0 + number, key))
        customer, agent = ends
        async with running(Stack(folder, carrier.port, pbx.port, pairs=20, extra=extra)) as stack:
            carrier.engine = pbx.engine = (HOST, stack.sip_port)
            with contextlib.ExitStack() as opened:
                for end in ends:
                    await end.media.open()
                    opened.callback(end.media.close)
                carrier.send(carrier.request("INVITE", body=customer.body("customer")))
                invite = await pbx.hear("INVITE", PATIENCE)
                agent.learn(invite.body)
                pbx.reply(invite, 200, body=agent.body("desk"))
                answer = await carrier.hear("200", PATIENCE)
                customer.learn(answer.body)
                near = Call.placed(answer)
                carrier.send(carrier.request("ACK", call=near))
                await pbx.hear("ACK", PATIENCE)
                [call] = await stack.calls_up()
                sending = asyncio.create_task(_send(ends))
                try:
                    yield SealedCall(stack, customer, agent, near, call["id"])
                finally:
                    sending.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await sending


async def _send(ends: list[End]) -> None:
    while True:
        for each in ends:
            each.send()
        await asyncio.sleep(_PACE)
