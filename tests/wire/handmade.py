"""A customer and a PBX made by hand, so that every octet they send is the test's: SIP line by line,
RTP by aiortc's classes."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import Callable, Iterator
from typing import cast

from aiortc.rtp import RtpPacket, is_rtcp

from tests.stack import until
from tests.wire.peers.ports import free_ports
from tests.wire.sip_peer import HOST, Call, Heard, SipPeer

EVENT_TYPE = 101
SSRC = 0x70A31A11
_CODES = {key: code for code, key in enumerate("0123456789*#ABCD")}
_SAMPLES = 160  # 20 ms
_PACE = 0.02  # seconds between two packets
_SDP = (
    "v=0\r\no={who} 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP "
    "{number} 101\r\n"
    "a=rtpmap:{codec}\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
)


def offer(port: int, who: str = "customer", host: str = HOST, codec: str = "0 PCMU/8000") -> str:
    """A session description with clear audio (`codec`: as an rtpmap has it) and telephone-event,
    received on `port` of `host`."""
    described = _SDP.format(who=who, port=port, codec=codec, number=codec.partition(" ")[0])
    return (
        described if host == HOST else described.replace(f"IP4 {HOST}", f"IP{6 if ':' in host else 4} {host}")
    )


class MediaSocket(asyncio.DatagramProtocol):
    """RTP or RTCP of one side: everything that came, in order, with its source."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, tuple[str, int]]] = []
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.append((data, addr))

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        assert self.transport is not None
        self.transport.sendto(data, to)


async def passed(datagram: bytes, sender: MediaSocket, to: tuple[str, int], receiver: MediaSocket) -> None:
    """Sent once, and it comes."""
    sender.send(datagram, to)
    await until(lambda: datagram in [data for data, _ in receiver.heard], "a datagram at the other end")


class MediaPair:
    """RTP on an even port and RTCP on the next."""

    def __init__(self, host: str = HOST) -> None:
        self.host, self.port = host, free_ports(2, host)
        self.rtp, self.rtcp = MediaSocket(), MediaSocket()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for offset, side in enumerate((self.rtp, self.rtcp)):
            await loop.create_datagram_endpoint(
                lambda side=side: side, local_addr=(self.host, self.port + offset)
            )

    def close(self) -> None:
        for side in (self.rtp, self.rtcp):
            if side.transport is not None:
                side.transport.close()


class Customer:
    """One telephone behind the carrier `trunk`. Its sequence numbers and its clock wrap soon.

    It sends nothing while the newest description of Tonewall's that `trunk` has heard in its call
    does not want it; `obeys` False: whatever the signalling says.
    """

    def __init__(self, trunk: SipPeer, *, obeys: bool = True) -> None:
        self.trunk, self.obeys = trunk, obeys
        self.media = MediaPair()
        self.far = (HOST, 0)  # where Tonewall receives its RTP
        self._call: Call | None = None
        self._sequence, self._clock = 65_500, 0xFFFF_8000

    async def dial(self, user: str = "desk", describe: Callable[[int], str] = offer) -> Call:
        """Returns when the call is answered; its dialog."""
        await self.media.open()
        uri = f"sip:{user}@{HOST}:{self.trunk.engine[1]}"
        text = self.trunk.request("INVITE", body=describe(self.media.port)).replace(
            f"INVITE sip:bob@{HOST}:{self.trunk.engine[1]} ", f"INVITE {uri} ", 1
        )
        self.trunk.send(text)
        answer = await self.trunk.hear("200", 30)
        self._call = Call.placed(answer)
        self.trunk.send(self.trunk.request("ACK", call=self._call))
        [port] = re.findall(r"m=audio (\d+) ", answer.body)
        self.far = (HOST, int(port))
        return self._call

    async def hang_up(self) -> None:
        assert self._call is not None
        self.trunk.send(self.trunk.request("BYE", call=self._call, cseq=2))
        await self.trunk.hear("200", 30)

    def speech(self, payload: bytes = b"\x5a" * _SAMPLES) -> RtpPacket:
        """The next 20 ms."""
        packet = self._packet(0, payload, self._clock)
        self._clock += _SAMPLES
        return packet

    def press(self, key: str) -> list[RtpPacket]:
        """A key of 80 ms: its updates, and its end three times (RFC 4733 section 2.5.1)."""
        durations = [(_SAMPLES * step, 0) for step in (1, 2, 3)] + [(_SAMPLES * 4, 0x80)] * 3
        packets = []
        for index, (duration, end) in enumerate(durations):
            payload = struct.pack("!BBH", _CODES[key], end | 10, duration)
            packets.append(self._packet(EVENT_TYPE, payload, self._clock, marker=int(index == 0)))
        self._clock += _SAMPLES * 6
        return packets

    async def play(self, packets: list[RtpPacket]) -> None:
        """Send at the pace of speech, where it is wanted."""
        sends = self.wanted or not self.obeys
        for packet in packets:
            if sends:
                self.media.rtp.send(packet.serialize(), self.far)
            await asyncio.sleep(_PACE)

    @property
    def wanted(self) -> bool:
        """Whether Tonewall would have its RTP (RFC 3264 section 8.4)."""
        if self._call is None:
            return True
        directions = [
            message.body
            for message in self.trunk.heard
            if message.body and self._call.call_id in message.all("Call-ID")
        ]
        return (
            not directions
            or re.search(r"a=(sendonly|inactive)\r\n|c=IN IP4 0\.0\.0\.0", directions[-1]) is None
        )

    async def key(self, keys: str) -> None:
        """Press these keys, a little speech after each."""
        for key in keys:
            await self.play([*self.press(key), self.speech(), self.speech()])

    def _packet(self, kind: int, payload: bytes, clock: int, marker: int = 0) -> RtpPacket:
        self._sequence = (self._sequence + 1) & 0xFFFF
        return RtpPacket(
            payload_type=kind, marker=marker, sequence_number=self._sequence, timestamp=clock & 0xFFFFFFFF,
            ssrc=SSRC,
            payload=payload,
        )  # fmt: skip


class Desk(asyncio.DatagramProtocol):
    """The PBX: one desk that answers every call to `desk` and keeps all media that it gets; anybody
    else is busy."""

    def __init__(self, host: str = HOST) -> None:
        self.peer = SipPeer(host)  # for its words
        self.port = self.peer.port
        self.invites: dict[str, str] = {}  # the body of each, by its Call-ID
        self.media = MediaPair(host)
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        self.peer.socket.setblocking(False)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=self.peer.socket)
        await self.media.open()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self.media.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = Heard(data.decode(errors="replace"), addr)
        match message.what:
            case "INVITE":
                self.invites[message.one("Call-ID")] = message.body
                if message.uri.startswith("sip:desk@"):
                    self.peer.reply(message, 180)
                    self.peer.reply(message, 200, body=offer(self.media.port, "desk", self.media.host))
                else:
                    self.peer.reply(message, 486)
            case "BYE" | "CANCEL" | "OPTIONS":
                self.peer.reply(message, 200)

    @property
    def far(self) -> tuple[str, int]:
        """Where Tonewall's RTP came from last, which is where it receives ours."""
        return self.media.rtp.heard[-1][1]

    def packets(self) -> list[RtpPacket]:
        """All RTP so far. Raises ValueError where aiortc does not take it for RTP."""
        return [RtpPacket.parse(data) for data, _ in self.media.rtp.heard if not is_rtcp(data)]

    async def more(self, packets: int = 3) -> None:
        """Until so many packets more have come."""
        wanted = len(self.media.rtp.heard) + packets
        await until(lambda: len(self.media.rtp.heard) >= wanted, "packets at the desk")


@contextlib.contextmanager
def trunk() -> Iterator[SipPeer]:
    """The carrier's socket; set its `engine` before use."""
    peer = SipPeer()
    with contextlib.closing(peer.socket):
        yield peer


def udp(host: str = HOST) -> socket.socket:
    """A socket of somebody else's."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, 0))
    made.setblocking(False)
    return made
