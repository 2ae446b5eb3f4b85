"""Strangers that race: from the first packet of a call on they send RTP and RTCP to every port, and
keep what they are sent."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence

MARK = b"a stranger's packet, not the peer's"
_RTP = struct.pack("!BBHII", 0x80, 0, 1, 160, 0xBAD) + MARK
_RTCP = struct.pack("!BBHI4s", 0x80, 204, 2 + len(MARK) // 4 + 1, 0xBAD, b"evil") + MARK + b"\0"
_PAUSE = 0.002  # seconds between two rounds


class Racer:
    """A thread with a socket at each of `hosts`; to `ports` of `at` it sends RTP and RTCP in
    turn."""

    def __init__(self, hosts: Sequence[str], at: str, ports: Sequence[int]) -> None:
        self.sent = 0
        self.received: list[bytes] = []
        self._to = [(at, port) for port in ports]
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in hosts]
        for sock, host in zip(self._sockets, hosts, strict=True):
            sock.bind((host, 0))
            sock.setblocking(False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._race, daemon=True)
        self._thread.start()

    def _race(self) -> None:
        while not self._stop.is_set():
            for sock in self._sockets:
                for to in self._to:
                    for packet in (_RTP, _RTCP):
                        with contextlib.suppress(OSError):
                            sock.sendto(packet, to)
                            self.sent += 1
                with contextlib.suppress(OSError):
                    while True:
                        self.received.append(sock.recv(2048))
            time.sleep(_PAUSE)

    def stop(self) -> None:
        """Twice does no harm."""
        self._stop.set()
        self._thread.join()
        for sock in self._sockets:
            sock.close()


@contextlib.contextmanager
def racing(hosts: Sequence[str], at: str, ports: Sequence[int]) -> Iterator[Racer]:
    racer = Racer(hosts, at, ports)
    try:
        yield racer
    finally:
        racer.stop()
