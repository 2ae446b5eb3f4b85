"""The proof of a server: a call of our own, in which it must mask a key that it must report.

Rule 1: it proves this server, this recipe and this way to the digit socket, now; so it is made
        before each capture.
Rule 2: under the mask a key and loud audio go in; the key comes to the digit socket, and what comes
        out is silence only. A server that says `ok` to every command does not pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from media.events import Masking, SessionId, Side
from media.formats.rtp import Rtp, Ssrc, parse, serialise
from media.mask_policy import MaskPolicy
from media.rtpengine.digit_socket import DigitSocket
from media.rtpengine.ng import NgError
from media.rtpengine.sdp import NotDescribed
from media.rtpengine.servers import Server
from media.rtpengine.session import NotMasked, RtpengineSession
from media.stream_description import RemoteStream

_MU, _EVENT = 0, 101
_LOUD, _SILENCE = bytes([0x10] * 160), frozenset((0xFF, 0x7F))
_KEY = bytes((12, 0x8A, 3, 32))  # "A", which no card has: 100 ms, ended (RFC 4733 section 2.3)
_PACKETS, _PACE = 8, 0.02  # more than the recipe's delay, so that something comes out
_PATIENCE = 0.5


class NotProven(Exception):
    """The server did not show that it masks and reports; its text is fit for the agent."""


class _End(asyncio.DatagramProtocol):
    """One telephone of the proof."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, _addr: object) -> None:
        self.heard.append(data)

    def send_packet(self, packet: Rtp, to: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(serialise(packet), to)


async def prove(server: Server, digits: DigitSocket, here: str, numbers: Callable[[], int]) -> None:
    """Returns once it is proven. `here`: our own address, which the server can send to. Raises
    NotProven."""
    session = RtpengineSession(SessionId("proof"), server, digits, here, numbers, 1)
    loop = asyncio.get_running_loop()
    [number] = session.streams
    customer, agent = _End(), _End()
    transports = []
    try:
        ports: dict[Side, int] = {}
        for side, end in ((Side.CALLER, customer), (Side.AGENT, agent)):
            transport, _ = await loop.create_datagram_endpoint(lambda end=end: end, local_addr=(here, 0))  # type: ignore[misc]
            transports.append(transport)
            ports[side] = transport.get_extra_info("sockname")[1]
        await session.open()
        for side, port in ports.items():
            await session.set_remote(side, (_peer(here, port),))
        await session.set_mask(True, Masking(policy=MaskPolicy.MUTE))
        came = digits.awaited(number, session.call)
        await _speak(customer, session)
        try:
            await asyncio.wait_for(came.wait(), _PATIENCE)
        except TimeoutError:
            raise NotProven("the rtpengine server does not report keys to our digit socket") from None
        if not agent.heard or not all(_is_silent(packet) for packet in agent.heard):
            raise NotProven("the rtpengine server does not mask")
    except (NgError, NotDescribed, NotMasked, OSError) as error:
        raise NotProven(f"the rtpengine server could not be tried: {error}") from error
    finally:
        digits.forget(number)
        await session.end_call()
        for transport in transports:
            transport.close()


async def _speak(customer: _End, session: RtpengineSession) -> None:
    [local] = session.local[Side.CALLER]
    to = (local.address, local.port)
    for index in range(_PACKETS):
        is_key = index == 1
        packet = Rtp(
            _EVENT if is_key else _MU, is_key, index, index * 160, Ssrc(1), _KEY if is_key else _LOUD
        )
        customer.send_packet(packet, to)
        await asyncio.sleep(_PACE)


def _peer(here: str, port: int) -> RemoteStream:
    return RemoteStream(
        address=here, port=port, rtcp_address=here, rtcp_port=0, event_types=(_EVENT,), mu_types=(_MU,)
    )


def _is_silent(datagram: bytes) -> bool:
    packet = parse(datagram)
    return packet is not None and packet.payload_type == _MU and set(packet.payload) <= _SILENCE
