"""Customers' telephones and the phones of the places behind, as one thread: a packet every 20 ms
from each customer, speech or keys.

Rule 1: what customers receive is left in their sockets, but for whether anything came.
Rule 2: customers send at phases of their own within the 20 ms.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import threading
import time
from collections import deque

from tests.wire.sip_peer import HOST

EVENT_TYPE, OPUS_TYPE = 101, 96
_CODES = {key: code for code, key in enumerate("0123456789*#")}
_SAMPLES, _TICK, _SLOTS = 160, 0.02, 10
_HEADER = struct.Struct("!BBHII")
_GAPS = range(2, 7)  # packets of speech between two keys: 40 to 120 ms
# Faint noise in mu-law: nobody speaks loudly who keys.
_SPEECH = [bytes(random.Random(each).choices(b"\xff\x7f\xfe\x7e\xfd\x7d", k=_SAMPLES)) for each in range(64)]
_OPUS = b"\xf8\xff\xfe"  # 20 ms of silence
_Packet = tuple[int, int, bytes, bool]  # type, samples that the clock is behind, payload, a press begins


class Telephone:
    """One customer's. `pressed`: when each press began. `opus`: it says nothing in Opus, not
    something in G.711."""

    def __init__(self, number: int, *, opus: bool = False) -> None:
        self.socket = _socket(4096)
        self.port: int = self.socket.getsockname()[1]
        self.pressed: list[float] = []
        self.heard = False
        self._far: tuple[str, int] | None = None
        self._packets: deque[_Packet] = deque()
        self._ssrc, self._sequence, self._clock = 0x1000 + number, 0, 0
        self._audio, self._speech, self._rate = (OPUS_TYPE, [_OPUS], 6) if opus else (0, _SPEECH, 1)

    def starts(self, far: tuple[str, int]) -> None:
        """Send to there from now on."""
        self._far = far

    def key(self, keys: str, chance: random.Random, delay: float = 0.0) -> None:
        """Press these, after so many seconds: 80 ms each, its end three times (RFC 4733 section
        2.5.1)."""
        packets: list[_Packet] = [(0, 0, b"", False)] * round(delay / _TICK)
        for key in keys:
            for step, (duration, end) in enumerate([(1, 0), (2, 0), (3, 0), *[(4, 0x80)] * 3]):
                payload = struct.pack("!BBH", _CODES[key], end | 10, duration * _SAMPLES * self._rate)
                packets.append((EVENT_TYPE, step * _SAMPLES, payload, step == 0))
            packets += [(0, 0, b"", False)] * chance.choice(_GAPS)
        if not self.heard:
            with contextlib.suppress(BlockingIOError):
                self.heard = bool(self.socket.recv(2048))
        self._packets.extend(packets)

    def send(self) -> None:
        """The next 20 ms."""
        if self._far is None:
            return
        kind, behind, payload, begins = self._packets.popleft() if self._packets else (0, 0, b"", False)
        self._sequence = (self._sequence + 1) & 0xFFFF
        marker = 0x80 if begins else 0
        clock = self._clock - behind * self._rate & 0xFFFFFFFF
        head = _HEADER.pack(0x80, (kind or self._audio) | marker, self._sequence, clock, self._ssrc)
        if begins:
            self.pressed.append(time.monotonic())
        with contextlib.suppress(BlockingIOError, ConnectionError):
            speech = self._speech[self._sequence % len(self._speech)]
            self.socket.sendto(head + (payload or speech), self._far)
        self._clock += _SAMPLES * self._rate


class Phones:
    """All of them, which send until `stop`. `latest`: seconds that a packet was late at most."""

    def __init__(self, count: int) -> None:
        self.customers = [Telephone(each) for each in range(count)]
        self.presses_at_places = 0
        self.latest = 0.0
        self._places = {each.fileno(): each for each in (_socket(1 << 17) for _ in range(count))}
        self._reached: set[int] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def heard_prompts(self) -> int:
        """Customers who had received something when they began to key."""
        return sum(each.heard for each in self.customers)

    @property
    def places_reached(self) -> int:
        """Next places that have received RTP."""
        return len(self._reached)

    def place_ports(self) -> list[int]:
        """Where the next places receive."""
        return [each.getsockname()[1] for each in self._places.values()]

    def talk_for(self, seconds: float) -> None:
        """Go on for so long."""
        self._stopping.wait(seconds)

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()
        for each in (*self._places.values(), *(phone.socket for phone in self.customers)):
            each.close()

    def _run(self) -> None:
        poll = select.epoll()
        for number in self._places:
            poll.register(number, select.EPOLLIN)
        slots = [self.customers[each::_SLOTS] for each in range(_SLOTS)]
        due, slot = time.monotonic(), 0
        while not self._stopping.is_set():
            for phone in slots[slot]:
                phone.send()
            slot, due = (slot + 1) % _SLOTS, due + _TICK / _SLOTS
            self._receive(poll, max(0.0, due - time.monotonic()))
            left = due - time.monotonic()
            self.latest = max(self.latest, -left)
            if left > 0:
                self._stopping.wait(left)
        poll.close()

    def _receive(self, poll: select.epoll, seconds: float) -> None:
        for number, _ in poll.poll(seconds):
            with contextlib.suppress(BlockingIOError, ConnectionError):
                while True:
                    packet = self._places[number].recv(2048)
                    self._reached.add(number)
                    self.presses_at_places += packet[1] & 0x7F == EVENT_TYPE


def _socket(buffer: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    made.bind((HOST, 0))
    made.setblocking(False)
    return made
