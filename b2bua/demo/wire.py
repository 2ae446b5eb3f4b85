"""Counts RTP packets and key events on the wire, by flow, independently of Tonewall.

Rule 1: it parses frames with its own code, without `media`, so that the two can disagree.
Rule 2: the key of an event is never read: an event is recognised by its size.
Rule 3: `source` describes the method of counting, and its gaps.
"""

from __future__ import annotations

import contextlib
import ctypes
import select
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Protocol

Address = tuple[str, int]

_IPV4, _UDP = 0x0800, 17
_ETHERNET, _IP, _UDP_HEADER, _RTP = 14, 20, 8, 12
_COMFORT_NOISE = 13
_EVENT_SIZE = 4  # RFC 4733 section 2.3; no audio codec of the demo has packets as small
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE = 26, 33
# Classic BPF: load a byte or a word of the frame, jump if equal, return how much of the packet to
# keep.
_LOAD_BYTE, _LOAD_WORD, _JUMP_EQUAL, _RETURN = 0x30, 0x20, 0x15, 0x06
_BUFFER = 4 * 1024 * 1024
_BATCH = 100_000
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Flow:
    """RTP from one UDP address to another. `events`: packets with a telephone event, under whatever
    payload type; `missing`: packets that their sequence numbers say were sent, and that were not
    seen (RFC 3550 appendix A.3)."""

    src: Address
    dst: Address
    packets: int
    events: int
    missing: int = 0


@dataclass(slots=True)
class _Sequence:
    """The packets of one SSRC, by sequence number."""

    first: int
    highest: int
    packets: int = 0

    def add(self, number: int) -> None:
        """Count the packet with this sequence number."""
        self.packets += 1
        ahead = (number - self.highest) & 0xFFFF
        if ahead < 0x8000:
            self.highest += ahead

    @property
    def missing(self) -> int:
        """The packets between the first and the last that did not come."""
        return max(0, self.highest - self.first + 1 - self.packets)


@dataclass(slots=True)
class _Counts:
    packets: int = 0
    events: int = 0
    sequences: dict[int, _Sequence] = field(default_factory=dict)


class WireView:
    """Flows of RTP, from Ethernet frames."""

    def __init__(self) -> None:
        self._counts: dict[tuple[Address, Address], _Counts] = {}

    def add_frame(self, frame: bytes) -> None:
        """Count an Ethernet frame (the loopback interface has them too). Everything but RTP over
        UDP over IPv4 is ignored."""
        if len(frame) < _ETHERNET + _IP + _UDP_HEADER + _RTP or int.from_bytes(frame[12:14], "big") != _IPV4:
            return
        options, fragment = (frame[14] & 0x0F) * 4, int.from_bytes(frame[20:22], "big") & 0x1FFF
        if frame[14] >> 4 != 4 or frame[23] != _UDP or options < _IP or fragment:
            return
        udp = _ETHERNET + options
        if len(frame) < udp + _UDP_HEADER:
            return
        source, destination, length = struct.unpack_from("!HHH", frame, udp)
        rtp = frame[udp + _UDP_HEADER : udp + length]
        size = _payload_size(rtp)
        if size is None:
            return
        ends = ((socket.inet_ntoa(frame[26:30]), source), (socket.inet_ntoa(frame[30:34]), destination))
        counts = self._counts.setdefault(ends, _Counts())
        kind, number, ssrc = rtp[1] & 0x7F, int.from_bytes(rtp[2:4], "big"), int.from_bytes(rtp[8:12], "big")
        counts.packets += 1
        counts.events += size == _EVENT_SIZE and kind != _COMFORT_NOISE
        counts.sequences.setdefault(ssrc, _Sequence(number, number)).add(number)

    def flows(self) -> list[Flow]:
        """The flows of the frames so far."""
        return [
            Flow(
                src, dst, counts.packets, counts.events, sum(one.missing for one in counts.sequences.values())
            )
            for (src, dst), counts in list(self._counts.items())
        ]


def _payload_size(packet: bytes) -> int | None:
    """Octets of payload, or None where it is no RTP packet (RFC 3550 section 5.1, RFC 5761 section
    4 for RTCP)."""
    if len(packet) < _RTP or packet[0] >> 6 != 2 or 192 <= packet[1] <= 223:
        return None
    begin = _RTP + (packet[0] & 0x0F) * 4
    if packet[0] & 0x10:  # header extension
        if len(packet) < begin + 4:
            return None
        begin += 4 + int.from_bytes(packet[begin + 2 : begin + 4], "big") * 4
    end = len(packet) - (packet[-1] if packet[0] & 0x20 else 0)
    return end - begin if end >= begin else None


class Telephone(Protocol):
    """A telephone that keeps count of its own packets: `b2bua.demo.phones.Phone`."""

    @property
    def address(self) -> str:
        """Its IP address."""

    @property
    def traffic(self) -> dict[str, int]:
        """Packets `sent`, `received` and `lost`; keys `pressed`, and keys heard as `dtmf`."""


class WireTap:
    """Counts packets on the loopback interface; without the permission to watch it, takes the
    counts of the telephones.

    The telephones count keys where the wire shows packets (a key press is a dozen): zero is zero
    either way.
    """

    def __init__(self, *telephones: Telephone, interface: str = "lo", middle: str = "127.0.0.1") -> None:
        self._telephones = telephones
        self._interface = interface
        self._middle = middle
        self._view = WireView()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._dropped = 0

    @property
    def source(self) -> str:
        """The method of counting, as a sentence."""
        if self._thread is None:
            return "Counted by the telephones themselves: watching the wire needs root or CAP_NET_RAW."
        missed = f"; the kernel could not show {self._dropped} packets" if self._dropped else ""
        return f"Counted on the wire: every packet on {self._interface} (AF_PACKET){missed}."

    def start(self) -> None:
        """Begin to count. Raises PermissionError where the wire may not be watched and there is no
        telephone to ask."""
        try:
            # As ETH_P_IP a packet is seen once, when it is received; as ETH_P_ALL loopback shows it
            # twice.
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_IPV4))
        except PermissionError:
            if not self._telephones:
                raise PermissionError("watching the wire needs root or CAP_NET_RAW") from None
            return
        _attach_filter(tap, [telephone.address for telephone in self._telephones])
        with contextlib.suppress(PermissionError):
            tap.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        tap.bind((self._interface, _IPV4))
        tap.setblocking(False)
        self._socket = tap
        self._thread = threading.Thread(target=self._watch, args=(tap,), name="wire-tap", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop counting; `flows` and `source` remain."""
        if self._socket is None or self._thread is None:
            return
        self._stopping.set()
        self._thread.join()
        with self._lock:
            self._drain(self._socket)
            self._socket.close()
            self._socket = None

    def flows(self) -> list[Flow]:
        """The flows up to now, with everything that the kernel has seen before this call."""
        if self._thread is None:
            return [flow for telephone in self._telephones for flow in self._flows_of(telephone)]
        with self._lock:
            if self._socket is not None:
                self._drain(self._socket)
            return self._view.flows()

    def _flows_of(self, telephone: Telephone) -> list[Flow]:
        seen, far, near = telephone.traffic, (self._middle, 0), (telephone.address, 0)
        return [
            Flow(near, far, seen.get("sent", 0), seen.get("pressed", 0)),
            Flow(far, near, seen.get("received", 0), seen.get("dtmf", 0), seen.get("lost", 0)),
        ]

    def _watch(self, tap: socket.socket) -> None:
        while not self._stopping.is_set():
            if select.select([tap], [], [], _POLL_SECONDS)[0]:
                with self._lock:
                    self._drain(tap)

    def _drain(self, tap: socket.socket) -> None:
        """Read the frames that wait. Call it with the lock."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(_BATCH):
                self._view.add_frame(tap.recv(2048))
        # Reading the statistics resets them (packet(7)).
        self._dropped += struct.unpack("II", tap.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1]


def _attach_filter(tap: socket.socket, addresses: list[str]) -> None:
    """Let the kernel hand over UDP only, and where there are `addresses`, only what is from or to
    one of them."""
    accept = (_RETURN, 0, 0, 0xFFFF)
    program = [(_LOAD_BYTE, 0, 0, 23), (_JUMP_EQUAL, 1, 0, _UDP), (_RETURN, 0, 0, 0)]
    for offset in (26, 30) if addresses else ():
        program.append((_LOAD_WORD, 0, 0, offset))
        for address in addresses:
            program += [(_JUMP_EQUAL, 0, 1, int.from_bytes(socket.inet_aton(address), "big")), accept]
    program.append((_RETURN, 0, 0, 0) if addresses else accept)
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in program))
    tap.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(code))
    )
