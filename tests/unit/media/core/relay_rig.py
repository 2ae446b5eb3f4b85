"""The relay of the core on real sockets, its peers played by the test."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from media._core import AGENT, CALLER, Relay
from media.formats.rtp import Rtp, Ssrc, serialise
from media.formats.telephone_event import TelephoneEvent
from media.formats.telephone_event import serialise as serialise_event

EVENTS, AUDIO = 101, 0
HOST, STRANGER, OTHER_NETWORK = "127.0.0.1", "127.0.0.77", "127.9.9.9"


def bound(host: str = HOST) -> socket.socket:
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind((host, 0))
    return own


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.002)


def received(own: socket.socket, seconds: float = 10.0) -> bytes:
    own.settimeout(seconds)
    return own.recv(4096)


def everything(own: socket.socket) -> list[bytes]:
    """What has arrived by now."""
    own.setblocking(False)
    packets = []
    while True:
        try:
            packets.append(own.recv(4096))
        except BlockingIOError:
            return packets


def rtp(
    sequence_number: int, payload: bytes = b"voice" * 32, payload_type: int = AUDIO, **more: int
) -> bytes:
    return serialise(
        Rtp(
            payload_type=payload_type,
            marker=bool(more.get("marker", 0)),
            sequence_number=sequence_number % 0x10000,
            rtp_timestamp=more.get("rtp_timestamp", sequence_number * 160) % 2**32,
            ssrc=Ssrc(more.get("ssrc", 0x1234)),
            payload=payload,
        )
    )


def key(sequence_number: int, code: int, rtp_timestamp: int, duration: int = 160, end: bool = False) -> bytes:
    payload = serialise_event(TelephoneEvent(code=code, end=end, duration=duration))
    return rtp(sequence_number, payload, EVENTS, rtp_timestamp=rtp_timestamp)


class Phone:
    """One leg's peer: an RTP and an RTCP socket, and the relay's two ports that it talks to."""

    def __init__(self, rtp_port: int, rtcp_port: int, host: str = HOST) -> None:
        self.rtp, self.rtcp = bound(host), bound(host)
        self.rtp_port, self.rtcp_port = rtp_port, rtcp_port

    def send(self, packet: bytes) -> None:
        self.rtp.sendto(packet, (HOST, self.rtp_port))

    def send_rtcp(self, packet: bytes) -> None:
        self.rtcp.sendto(packet, (HOST, self.rtcp_port))

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


class Rig:
    """One relay with one stream between two phones."""

    def __init__(self, coalescing_us: int = 0, masked_coalescing_us: int = 0) -> None:
        self.relay = Relay()
        self.relay.start(coalescing_us=coalescing_us, masked_coalescing_us=masked_coalescing_us)
        sockets = [bound() for _ in range(4)]
        ports = [own.getsockname()[1] for own in sockets]
        self.caller, self.agent = Phone(*ports[:2]), Phone(*ports[2:])
        self.relay.open_stream(7, *(own.detach() for own in sockets))
        self.relay.set_types(7, bytes([EVENTS]), bytes([AUDIO]))

    def connect(self, leg: int, phone: Phone, latch: bool = False) -> None:
        address, port = phone.rtp.getsockname()
        rtcp_address, rtcp_port = phone.rtcp.getsockname()
        self.relay.set_peer(7, leg, address, port, rtcp_address, rtcp_port, latch)

    def connect_both(self) -> Rig:
        self.connect(CALLER, self.caller)
        self.connect(AGENT, self.agent)
        return self

    def counted(self, name: str, value: int) -> None:
        until(lambda: self.relay.counters(7)[name] >= value)
        assert self.relay.counters(7)[name] == value

    def close(self) -> None:
        self.relay.stop()
        self.caller.close()
        self.agent.close()


REPORT = bytes.fromhex("80c9000112345678")


@pytest.fixture
def one_processor() -> Iterator[None]:
    """Sender and media thread take turns, so that packets wait in the sockets when a command
    comes."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


def threads() -> set[int]:
    return {int(name) for name in os.listdir("/proc/self/task")}
