"""A man between Tonewall and a real rtpengine, who does not carry out what the test forbids him,
and says what he likes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Self, cast

from media.rtpengine.ng import Value, decode_value, encode


class Liar(asyncio.DatagramProtocol):
    """Passes everything on, but for the commands in `lies`, which get that answer and nothing
    else."""

    def __init__(self, daemon_port: int) -> None:
        self.lies: dict[str, Mapping[str, Value]] = {}
        self.port = 0
        self._daemon = ("127.0.0.1", daemon_port)
        self._asker: tuple[str, int] | None = None
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> Self:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self._transport, self.port = transport, transport.get_extra_info("sockname")[1]
        return self

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def stop(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        if addr == self._daemon:
            if self._asker is not None:
                self._transport.sendto(data, self._asker)
            return
        self._asker = addr
        cookie, _, body = data.partition(b" ")
        command = cast("Mapping[str, bytes]", decode_value(body))["command"].decode()
        if command in self.lies:
            self._transport.sendto(cookie + b" " + encode(self.lies[command]), addr)
        else:
            self._transport.sendto(data, self._daemon)
