"""The RTP of one test leg: a socket that sends a frame each 20 ms, and notes every packet that
comes.

Rule 1: bounded: of a leg MAX_PACKETS are noted, whatever is sent."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
from collections import deque
from collections.abc import Iterable
from typing import Final

from b2bua.call.sdp.sdes import Crypto
from b2bua.preflight.description import Description
from b2bua.preflight.observation import Leg, Place, Pressed
from b2bua.preflight.rtp import HEADER, is_rtcp, parse_packet
from b2bua.preflight.srtp import SUITES, Srtp
from b2bua.self_test.tones import CODECS, RATE, make_tone
from tonewall.tasks import BackgroundTasks

MAX_PACKETS: Final = 30_000  # ten minutes
FRAME: Final = 160  # samples in 20 ms
_SECONDS: Final = FRAME / RATE
_PRESS, _GAP, _ENDS = 6, 25, 3  # frames of a key, of the silence behind it; packets that end an event
_KEYS: Final = "0123456789*#ABCD"
_MAX_OCTETS: Final = 4096
_SUITE: Final = "AES_CM_128_HMAC_SHA1_80"


class MediaLine:
    """`leg` receives what comes. Nothing is sent until `follow` has named the peer."""

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.port = 0
        self.crypto: Crypto | None = None  # ours, where the leg is SRTP
        self._sockets: list[socket.socket] = []  # RTP, RTCP
        self._tx: Srtp | None = None
        self._rx: Srtp | None = None
        self._peer: Place | None = None
        self._codec, self._event_type, self._event_clock = CODECS[8], 0, RATE
        self._waiting: deque[tuple[str, bytes, int]] = deque()  # key that begins, event payload or tone, age
        self._pressed: list[Pressed] = []
        self._idle = asyncio.Event()
        self._sequence, self._timestamp = secrets.randbits(15), secrets.randbits(31)
        self._ssrc = secrets.randbits(32)
        self._tasks = BackgroundTasks()

    def open(self, host: str, ports: Iterable[int]) -> None:
        """Bind a pair of ports, RTP and RTCP, the first of `ports` that is free. Raises OSError."""
        failed = OSError("no port is free")
        for port in ports:
            try:
                self._sockets = _bind(host, port)
            except OSError as error:
                failed = error
                continue
            self.port = port
            loop = asyncio.get_running_loop()
            for each in self._sockets:
                loop.add_reader(each, self._read, each)
            self._tasks.start(self._send(), "test audio")
            return
        raise failed

    async def close(self) -> None:
        """Stop."""
        await self._tasks.cancel()
        for each in self._sockets:
            asyncio.get_running_loop().remove_reader(each)
            each.close()

    def offer_srtp(self, remote: Description | None = None) -> None:
        """Draw a key: for our offer, or for the suite of `remote`'s that we take, where there is
        one."""
        suite, tag = _SUITE, "1"
        if remote is not None:
            theirs = next((each for each in remote.cryptos if each.suite in SUITES), None)
            if theirs is None:
                return
            suite, tag = theirs.suite, theirs.tag
        size, _ = SUITES[suite]
        self.crypto = Crypto(tag, suite, secrets.token_bytes(size + 14))

    def follow(self, remote: Description) -> None:
        """Send where a description says, in its first codec of ours, and read what it says."""
        self.leg.remote = remote
        if not remote.port or not remote.host:
            return
        kinds = [each.kind for each in remote.codecs if each.kind in CODECS]
        self._codec = CODECS[kinds[0]] if kinds else self._codec
        event = next(iter(remote.events), None)
        self._event_type, self._event_clock = (event.kind, event.clock) if event else (0, RATE)
        theirs = next((each for each in remote.cryptos if each.suite in SUITES), None)
        if remote.is_encrypted and theirs is not None and self.crypto is not None:
            self._rx = Srtp(theirs.suite, theirs.key)
            self._tx = Srtp(self.crypto.suite, self.crypto.key)
        self._peer = (remote.host, remote.port)

    @property
    def sends_events(self) -> bool:
        """Whether the peer takes telephone-events."""
        return bool(self._event_type)

    async def press(self, keys: str, *, as_tones: bool) -> list[Pressed]:
        """Press keys, one after another; returns once the last has left, with the time of each."""
        self._pressed = []
        for key in keys:
            if as_tones:
                octets = self._codec.encode(make_tone(key, _PRESS * FRAME))
                for at in range(0, len(octets), FRAME):
                    self._waiting.append(("" if at else key, octets[at : at + FRAME], -1))
            else:
                self._waiting.extend(self._event(key))
            self._waiting.extend([("", self._quiet(), -1)] * _GAP)
        self._idle.clear()
        await self._idle.wait()
        return self._pressed

    def _event(self, key: str) -> list[tuple[str, bytes, int]]:
        """RFC 4733 section 2.5.1: updates with a growing duration, then the end three times."""
        ticks = FRAME * self._event_clock // RATE
        packets = []
        for place in range(_PRESS + _ENDS):
            flags = 0x80 if place >= _PRESS else 0
            payload = struct.pack("!BBH", _KEYS.index(key), flags | 10, min(place + 1, _PRESS) * ticks)
            packets.append(("" if place else key, payload, min(place, _PRESS)))
        return packets

    def _quiet(self) -> bytes:
        return self._codec.encode([0] * FRAME)

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + _SECONDS, loop.time() - 5 * _SECONDS)
            await asyncio.sleep(due - loop.time())
            if not self._waiting:
                self._idle.set()
            if self._peer is None:
                continue
            key, payload, age = self._waiting.popleft() if self._waiting else ("", self._quiet(), -1)
            if key:
                self._pressed.append(Pressed(key, loop.time()))
            with contextlib.suppress(OSError):  # the far end is not there, or not any more
                self._sockets[0].sendto(self._packet(payload, age), self._peer)

    def _packet(self, payload: bytes, age: int) -> bytes:
        """The next packet: audio, or an event that began `age` frames ago."""
        is_event = age >= 0
        kind = self._event_type | (age == 0) << 7 if is_event else self._codec.kind
        stamp = (self._timestamp - max(age, 0) * FRAME) % (1 << 32)
        packet = HEADER.pack(0x80, kind, self._sequence % (1 << 16), stamp, self._ssrc) + payload
        self._sequence += 1
        self._timestamp += 0 if age == _PRESS else FRAME
        return self._tx.protect(packet) if self._tx is not None else packet

    def _read(self, bound: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, source = bound.recvfrom(_MAX_OCTETS)
                self._take(data, source[:2])

    def _take(self, data: bytes, source: Place) -> None:
        """One packet of anybody's."""
        leg = self.leg
        if is_rtcp(data):
            leg.rtcp += 1
            return
        clear: bytes | None = data
        if self._rx is not None:
            clear = self._rx.unprotect(data)
            if clear is None:
                leg.refused += 1
                return
        packet = parse_packet(clear or b"", asyncio.get_running_loop().time(), source)
        if packet is not None and len(leg.packets) < MAX_PACKETS:
            leg.packets.append(packet)


def _bind(host: str, port: int) -> list[socket.socket]:
    """A socket at a port, and one at the next."""
    found: list[socket.socket] = []
    try:
        for number in (port, port + 1):
            found.append(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM))
            found[-1].bind((host, number))
            found[-1].setblocking(False)
    except OSError:
        for each in found:
            each.close()
        raise
    return found
