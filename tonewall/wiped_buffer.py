"""A stream's bytes, read into one buffer that is overwritten after each read.

Rule 1: what was received is nowhere but in the `bytes` given to `data_received`. An event loop's
        own buffer would keep what came last, keys of a SIP INFO among it.
"""

from __future__ import annotations

import asyncio

_SIZE = 1 << 16
# One for all connections: the loop fills it and hands it over in one step.
_BUFFER = memoryview(bytearray(_SIZE))
_ZEROS = bytes(_SIZE)


class WipedProtocol(asyncio.BufferedProtocol):
    """A protocol with `data_received`, as `asyncio.Protocol` has it."""

    def data_received(self, data: bytes) -> None:
        raise NotImplementedError

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(_BUFFER[:nbytes])
        _BUFFER[:nbytes] = _ZEROS[:nbytes]
        self.data_received(data)
