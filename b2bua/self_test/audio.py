"""Sends and receives the RTP of one call: G.711 and telephone-events, with code that shares nothing
with the media process.

Rule 1: whatever looks like a telephone-event counts as one, under whatever payload type.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from b2bua.self_test.tones import CODECS, RATE, find_keys, make_tone
from tonewall.tasks import BackgroundTasks

EVENT: Final = 101  # the payload type that we offer
_AUDIO: Final = -1  # whatever codec was negotiated
_NOISE: Final = 13
_FRAME: Final = 160  # samples in 20 ms
_SECONDS: Final = _FRAME / RATE
_PRESS, _GAP, _ENDS = 8, 15, 3  # frames of a key, of the silence behind it; packets that end an event
_KEYS: Final = "0123456789*#ABCD"
_QUIET: Final = [0] * _FRAME
_HEADER: Final = struct.Struct("!BBHII")


@dataclass(slots=True)
class Arrived:
    """What came since a moment: packets, presses as events, the audio's octets."""

    packets: int = 0
    presses: set[tuple[int, int]] = field(default_factory=set)  # SSRC and RTP timestamp of each
    audio: dict[int, bytearray] = field(default_factory=dict)  # by payload type

    def count_tones(self) -> int:
        """Keys in the audio. Takes a second for each half minute."""
        return sum(len(find_keys(CODECS[kind].decode(octets))) for kind, octets in self.audio.items())


class Audio:
    """A socket that sends a frame every 20 ms once `peer` is known: silence, unless keys wait."""

    def __init__(self, host: str) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self.peer: tuple[str, int] | None = None
        self.event_type, self.codec = EVENT, CODECS[0]
        self.arrived = Arrived()
        self._waiting: deque[tuple[int, bool, bytes, int]] = deque()  # type, marker, payload, event's age
        self._idle = asyncio.Event()
        self._sequence, self._timestamp = secrets.randbits(15), secrets.randbits(31)
        self._ssrc = secrets.randbits(32)
        self._tasks = BackgroundTasks()
        self._tasks.start(self._send(), "audio sent")
        self._tasks.start(self._receive(), "audio received")

    async def close(self) -> None:
        """Stop."""
        await self._tasks.cancel()
        self._socket.close()

    def mark(self) -> Arrived:
        """What came until now; counting begins anew."""
        before, self.arrived = self.arrived, Arrived()
        return before

    async def press(self, keys: str, *, as_tones: bool) -> None:
        """Press keys, one after another; returns once the last has left."""
        for key in keys:
            if as_tones:
                octets = self.codec.encode(make_tone(key, _PRESS * _FRAME))
                for at in range(0, len(octets), _FRAME):
                    self._waiting.append((_AUDIO, False, octets[at : at + _FRAME], 0))
            else:
                self._waiting.extend(self._event(_KEYS.index(key)))
            self._waiting.extend([(_AUDIO, False, self.codec.encode(_QUIET), 0)] * _GAP)
        self._idle.clear()
        await self._idle.wait()

    def _event(self, key: int) -> list[tuple[int, bool, bytes, int]]:
        """RFC 4733 section 2.5.1: updates with a growing duration, then the end three times."""
        packets = []
        for place in range(_PRESS + _ENDS):
            duration = min(place + 1, _PRESS) * _FRAME
            flags = 0x80 if place >= _PRESS else 0
            payload = struct.pack("!BBH", key, flags | 10, duration)
            packets.append((self.event_type, place == 0, payload, min(place, _PRESS)))
        return packets

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += _SECONDS
            await asyncio.sleep(due - loop.time())
            if not self._waiting:
                self._idle.set()
            if self.peer is None:
                continue
            quiet = (_AUDIO, False, self.codec.encode(_QUIET), 0)
            kind, marker, payload, age = self._waiting.popleft() if self._waiting else quiet
            is_event = kind != _AUDIO
            first = (kind if is_event else self.codec.kind) | marker << 7
            stamp = self._timestamp - age * _FRAME
            header = _HEADER.pack(0x80, first, self._sequence & 0xFFFF, stamp & 0xFFFFFFFF, self._ssrc)
            self._sequence += 1
            self._timestamp += 0 if is_event and age == _PRESS else _FRAME
            try:
                self._socket.sendto(header + payload, self.peer)
            except OSError:
                continue  # the far end is not there, or not any more

    async def _receive(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                packet = await loop.sock_recv(self._socket, 2048)
            except OSError:
                continue
            self._take(packet)

    def _take(self, packet: bytes) -> None:
        if len(packet) < _HEADER.size or packet[0] >> 6 != 2 or 192 <= packet[1] <= 223:
            return
        _, kind, _, stamp, ssrc = _HEADER.unpack_from(packet)
        payload = packet[_HEADER.size + (packet[0] & 0x0F) * 4 :]
        arrived = self.arrived
        arrived.packets += 1
        kind &= 0x7F
        if kind == self.event_type or (len(payload) == 4 and kind != _NOISE):
            arrived.presses.add((ssrc, stamp))
        elif kind in CODECS:
            arrived.audio.setdefault(kind, bytearray()).extend(payload)
