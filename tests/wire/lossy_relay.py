"""Stands where a trunk would, passes datagrams to and from the one behind it, and loses some, the
same ones each time."""

from __future__ import annotations

import asyncio
import random

HOST = "127.0.0.1"


class _Side(asyncio.DatagramProtocol):
    def __init__(self, relay: LossyRelay) -> None:
        self.relay = relay

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.relay.pass_on(self, data)


class LossyRelay:
    """`port` faces the engine, at `engine`; `outer` faces the peer, which listens on `inner`."""

    def __init__(self, port: int, engine: int, inner: int, seed: int, share: float = 0.1) -> None:
        self.port, self.engine, self.inner, self.share = port, engine, inner, share
        self.outer = 0
        self.lost = 0
        self._chance = random.Random(seed)
        self._front, self._back = _Side(self), _Side(self)

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        front, back = self._front, self._back
        self._to_engine, _ = await loop.create_datagram_endpoint(lambda: front, local_addr=(HOST, self.port))
        self._to_peer, _ = await loop.create_datagram_endpoint(lambda: back, local_addr=(HOST, 0))
        self.outer = self._to_peer.get_extra_info("sockname")[1]

    def pass_on(self, came: _Side, data: bytes) -> None:
        if self._chance.random() < self.share:
            self.lost += 1
        elif came is self._front:
            self._to_peer.sendto(data, (HOST, self.inner))
        else:
            self._to_engine.sendto(data, (HOST, self.engine))

    def close(self) -> None:
        self._to_engine.close()
        self._to_peer.close()
