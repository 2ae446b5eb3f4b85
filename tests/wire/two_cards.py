"""Two customers of one Tonewall who key two cards at the same time, packet beside packet: what may
the agents' sides differ in?

Both streams have the same SSRC, numbers and clock. The cards have the same brand, first six and
last four digits."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.canary import CANARY, Card
from tests.leak.codec import PCMU, encoded
from tests.leak.speech import talk
from tests.leak.timeline import Packet, parse
from tests.stack import Stack, running, until
from tests.wire.handmade import EVENT_TYPE, MediaPair, MediaSocket, offer, trunk
from tests.wire.paying import without_complaint
from tests.wire.sip_peer import HOST, Call, SipPeer

PACE = 0.004  # seconds between two steps: the mask's time is the packets' own
LATE = 0.015  # seconds: how far apart the same packet of both may arrive
_CODES = "0123456789*#"
_EXTENSION, _PADDING = 0x10, 0x20  # RFC 3550 section 5.1: bits of the first octet
_SSRC = 0x2CA2D5
Step = tuple[str, bytes]  # where it goes: rtp, rtcp, info


def _is_card(number: str) -> bool:
    doubled = [sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(reversed(number))]
    return sum(doubled) % 10 == 0


def _other() -> Card:
    """Each digit but for the first six and the last four is another."""
    first, middle, last = CANARY.number[:6], CANARY.number[6:12], CANARY.number[12:]
    for digits in itertools.product("5283917460", repeat=6):
        number = f"{first}{''.join(digits)}{last}"
        if _is_card(number) and all(one != other for one, other in zip(digits, middle, strict=True)):
            return Card(number=number, expiry="0246", code="164")
    raise AssertionError


CARDS = (CANARY, _other())


@dataclass(frozen=True)
class Audio:
    """What both customers say beside their keys."""

    payloads: Sequence[bytes]
    payload_type: int = PCMU
    ticks: int = 160  # of its clock in 20 ms, and of the events' clock


@dataclass
class Script:
    """One customer's datagrams, step by step. Whatever can carry a digit carries one."""

    audio: Audio
    steps: list[Step] = field(default_factory=list)
    wrap: Callable[[Packet], Packet] = lambda packet: packet
    _sequence: int = 65_450
    _clock: int = 0xFFFF_4000
    _said: int = 0
    _packets: int = 0

    @property
    def clock(self) -> int:
        return self._clock % (1 << 32)

    def say(self, packets: int, key: str = "") -> None:
        """With a key: it stands in the first packet's header extension, and in the second's
        padding."""
        for number in range(packets):
            payload = self.audio.payloads[self._said % len(self.audio.payloads)]
            self._said += 1
            packet = self._next(self.audio.payload_type, payload, self._clock)
            data = bytearray(bytes(self.wrap(packet)))
            if key and number == 0:
                data[0] |= _EXTENSION
                # RFC 8285 section 4.2.
                data[12:12] = struct.pack("!HHBBH", 0xBEDE, 1, 0x10, ord(key), 0)
            elif key and number == 1:
                data[0] |= _PADDING
                data += bytes([ord(key), 0, 0, 4])
            self.steps.append(("rtp", bytes(data)))
            self._clock += self.audio.ticks

    def press(self, key: str) -> None:
        """An event of 80 ms: RFC 4733 section 2.5.1."""
        ticks = self.audio.ticks
        for index, (duration, end) in enumerate(
            [(ticks, 0), (2 * ticks, 0), (3 * ticks, 0), *[(4 * ticks, 0x80)] * 3]
        ):
            payload = struct.pack("!BBH", _CODES.index(key), end | 10, duration)
            packet = self._next(EVENT_TYPE, payload, self._clock, marker=index == 0)
            self.steps.append(("rtp", bytes(self.wrap(packet))))
        self._clock += 4 * ticks

    def report(self, key: str, kind: int) -> None:
        """RTCP while keys are pressed (RFC 3550 section 6), each of its kinds in turn."""
        clock = (self._clock % (1 << 32), self._packets, 160 * self._packets)
        sender = struct.pack("!BBHIQIII", 0x80, 200, 6, _SSRC, 0xE0 << 56 | self._packets << 32, *clock)
        block = struct.pack("!IIIIII", 0x0A6E, 3, 900, 7, 0, 0)
        item = f"key {key}".encode()
        texts = bytes([7, len(item)]) + item + bytes(4 - (2 + len(item)) % 4)  # NOTE
        described = struct.pack("!BBHI", 0x81, 202, 1 + len(texts) // 4, _SSRC) + texts
        application = struct.pack("!BBHI4sI", 0x80, 204, 3, _SSRC, b"DTMF", ord(key))
        goodbye = struct.pack("!BBHIB3s", 0x81, 203, 2, _SSRC, 1, key.encode() + bytes(2))
        received = struct.pack("!BBHI", 0x81, 201, 7, 0x77) + block
        # Profile-specific: 6.4.3.
        own = struct.pack("!BBHI", 0x81, 201, 8, 0x77) + block + struct.pack("!I", ord(key))
        compounds = [sender + described, received, sender + application, application, own, sender + goodbye]
        self.steps.append(("rtcp", compounds[kind % len(compounds)]))

    def last(self) -> int:
        """Quiet at the end; the rtp_timestamp of the last packet, behind which nothing waits."""
        self.say(6)
        return (self._clock - self.audio.ticks) % (1 << 32)

    def _next(self, payload_type: int, payload: bytes, clock: int, marker: bool = False) -> Packet:
        self._sequence += 1
        self._packets += 1
        return Packet(payload_type, self._sequence % 0x10000, clock % (1 << 32), _SSRC, payload, marker)


class Clocked(MediaSocket):
    """Knows when each datagram came."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.times.append(asyncio.get_running_loop().time())
        super().datagram_received(data, addr)


@dataclass
class Arrived:
    """What came to one agent's socket, and when."""

    datagrams: list[bytes]
    times: list[float]


def differences(one: Arrived, other: Arrived) -> list[str]:
    """What differs between the two; never which digits."""
    found = []
    if len(one.datagrams) != len(other.datagrams):
        found.append("number")
    pairs = list(zip(one.datagrams, other.datagrams, strict=False))
    if any(len(first) != len(second) for first, second in pairs):
        found.append("lengths")
    if any(first != second for first, second in pairs):
        found.append("octets")
    apart = [abs(first - second) for first, second in zip(one.times, other.times, strict=False)]
    if (
        sum(each > LATE for each in apart) > len(apart) // 4
    ):  # the machine pauses too, but not for one of the two
        found.append("times")
    return found


@dataclass
class Side:
    """One of the two calls."""

    card: Card
    customer: MediaPair
    agent: MediaPair
    near: Call
    call_id: str
    agent_call_id: str
    invite: str  # what the PBX was offered
    far: tuple[str, int] = (HOST, 0)
    muxed: bool = False  # the agent's RTCP comes on the port for RTP
    cseq: int = 1

    def arrived(self, since: tuple[int, int] = (0, 0)) -> dict[str, Arrived]:
        found = {}
        for name, at, begin in (("rtp", self.agent.rtp, since[0]), ("rtcp", self.agent.rtcp, since[1])):
            assert isinstance(at, Clocked)
            found[name] = Arrived([data for data, _ in at.heard[begin:]], at.times[begin:])
        return found

    def mark(self) -> tuple[int, int]:
        return len(self.agent.rtp.heard), len(self.agent.rtcp.heard)


@dataclass
class Two:
    """Both calls, up."""

    stack: Stack
    carrier: SipPeer
    pbx: SipPeer
    sides: tuple[Side, ...]

    async def begun(self, side: Side, packet: bytes) -> None:
        """Send it until some of it comes: nothing says when media has heard of the answer."""

        def come() -> bool:
            side.customer.rtp.send(packet, side.far)
            return bool(side.agent.rtp.heard)

        await until(come, "a packet at the agent's phone")

    async def play(self, scripts: Iterable[Sequence[Step]]) -> None:
        """Step by step, one customer right after the other."""
        for steps in zip(*scripts, strict=True):
            for side, step in zip(self.sides, steps, strict=True):
                await self._send(side, step)
            await asyncio.sleep(PACE)

    async def one(self, side: Side, steps: Iterable[Step]) -> None:
        """One customer alone."""
        for step in steps:
            await self._send(side, step)
            await asyncio.sleep(PACE)

    async def _send(self, side: Side, step: Step) -> None:
        where, data = step
        if where == "info":
            side.cseq += 1
            body, kind = data.decode(), "application/dtmf-relay"
            self.carrier.send(
                self.carrier.request("INFO", call=side.near, cseq=side.cseq, body=body, Content_Type=kind)
            )
            await self.carrier.hear("200")
        elif where == "rtp":
            side.customer.rtp.send(data, side.far)
        else:
            side.customer.rtcp.send(data, (side.far[0], side.far[1] + 1))

    async def have(self, clock: int, read: Callable[[Side, bytes], bytes] = lambda _, data: data) -> None:
        """Until both agents have what was said last."""

        def there(side: Side) -> bool:
            packets = (parse(read(side, data)) for data, _ in side.agent.rtp.heard[-8:])
            return any(packet is not None and packet.rtp_timestamp == clock for packet in packets)

        await until(lambda: all(map(there, self.sides)), "the last packet at both agents' phones")

    async def start_captures(self) -> None:
        for side, order in zip(self.sides, "ab", strict=True):
            await self.stack.start_capture(side.call_id, transaction=f"order-{order}")

    async def ready(self) -> None:
        for side in self.sides:
            await self.stack.stage(side.call_id, "ready")

    async def end(self) -> None:
        for side in self.sides:
            await self.hang_up(side)

    async def hang_up(self, side: Side) -> None:
        self.carrier.send(self.carrier.request("BYE", call=side.near, cseq=90))
        self.pbx.reply(await self.pbx.hear("BYE"), 200)
        await self.carrier.hear("200")


@contextlib.asynccontextmanager
async def two(
    folder: Path,
    describe: Callable[[int, str], str] = offer,
    answer: Callable[[int, str, str], str] | None = None,
    general: dict[str, str] | None = None,
    pbx_keys: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
    cards: Sequence[Card] = CARDS,
    form: dict[str, str] | None = None,
    **carrier_keys: str,
) -> AsyncIterator[Two]:
    """`answer`: of the PBX, from its port, who answers, and the offer that it got; else as
    `describe`."""
    extra = {"carrier": carrier_keys, "pbx": pbx_keys or {}, "general": {"guard_time": "5"} | (general or {})}
    if form is not None:
        extra["form"] = form
    with contextlib.ExitStack() as undo, trunk() as carrier, trunk() as pbx:
        stack = Stack(folder, carrier.port, pbx.port, pairs=20, extra=extra, environment=environment or {})
        async with running(stack), without_complaint(stack):
            carrier.engine = pbx.engine = (HOST, stack.sip_port)
            await until(
                lambda: '"process":"decoder"' in stack.log.read_text(),
                "the decoder: else its codecs are refused",
            )
            sides: list[Side] = []
            for number, card in enumerate(cards):
                customer, agent = MediaPair(), MediaPair()
                agent.rtp, agent.rtcp = Clocked(), Clocked()
                for pair in (customer, agent):
                    await pair.open()
                    undo.callback(pair.close)
                carrier.send(carrier.request("INVITE", body=describe(customer.port, "customer")))
                invite = await pbx.hear("INVITE", 30)
                said = answer(agent.port, "agent", invite.body) if answer else describe(agent.port, "agent")
                pbx.reply(invite, 200, tag=f"far{number}", body=said)
                taken = await carrier.hear("200")
                near = Call.placed(taken)
                carrier.send(carrier.request("ACK", call=near))
                await pbx.hear("ACK")
                known = {side.call_id for side in sides}
                [call] = [call for call in await stack.calls_up(number + 1) if call["id"] not in known]
                side = Side(card, customer, agent, near, call["id"], invite.one("Call-ID"), invite.body)
                side.far = (HOST, int(taken.body.partition("m=audio ")[2].split()[0]))
                sides.append(side)
            yield Two(stack, carrier, pbx, tuple(sides))


RATE = 8000
_SPOKEN = talk(np.random.default_rng(6), 4 * RATE) * 0.1
SPEECH = Audio(encoded(_SPOKEN, PCMU))
