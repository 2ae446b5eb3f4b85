"""Copies of the sockets of RTP and RTCP, which outlive a media process; and copies of the keeper's,
which outlive us.

Rule 1: nothing is read of a socket here.
Rule 2: a stream that has no room is not kept, and its call goes on without; the log says so once.
Rule 3: what has the wrong number of sockets is not kept: the limit of descriptors has cut it off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from b2bua.supervise.kept import stream_name
from b2bua.supervise.service_manager import ServiceManager
from media.kept_streams import (
    SOCKETS,
    AllKept,
    ForgetStream,
    KeepStream,
    StreamMessage,
    decode,
    encode,
)
from tonewall.descriptor_sender import close_all
from tonewall.log import get_logger

log = get_logger(__name__)
_RESERVE: Final = 512  # descriptors that the supervisor needs for all else


class StreamStore:
    """The streams that are kept, by slot. `limit`: of descriptors of this process; `manager`: has
    copies; `kept`: those of the supervisor before us, which are ours from now on."""

    def __init__(
        self,
        limit: int,
        manager: ServiceManager | None = None,
        kept: Iterable[tuple[KeepStream, Sequence[int]]] = (),
    ) -> None:
        self._manager = manager if manager is not None else ServiceManager()
        self._most = max(0, limit - _RESERVE) // SOCKETS
        self._kept = {said.slot: (said, descriptors) for said, descriptors in kept}
        self._is_full = False

    def __len__(self) -> int:
        return len(self._kept)

    def receive(self, message: bytes, descriptors: Sequence[int]) -> StreamMessage | None:
        """Do what media says, and return it. Owns the descriptors."""
        said = decode(message)
        if isinstance(said, KeepStream) and len(descriptors) == SOCKETS:
            self._forget(said.slot)
            if len(self._kept) < self._most:
                self._kept[said.slot] = (said, descriptors)
                self._manager.keep(stream_name(said.slot), *descriptors, note=message)
                return said
        elif isinstance(said, ForgetStream):
            self._forget(said.slot)
        close_all(descriptors)
        if isinstance(said, KeepStream) and not self._is_full:
            self._is_full = True
            log.warning(
                "streams_not_kept",
                count=len(self._kept),
                why="the limit of open files of the supervisor",
                hint="raise LimitNOFILE (systemd) or --ulimit nofile (container): "
                "calls beyond it end where media does",
            )
        return said

    def hand_over(self, send: Callable[[bytes, Sequence[int]], None]) -> None:
        """Send all of them to a media process. Raises OSError."""
        for said, descriptors in self._kept.values():
            send(encode(said), descriptors)
        send(encode(AllKept()), ())

    def close(self) -> None:
        """Close all of them."""
        for slot in tuple(self._kept):
            self._forget(slot)

    def _forget(self, slot: int) -> None:
        _, descriptors = self._kept.pop(slot, (None, ()))
        if descriptors:
            self._manager.forget(stream_name(slot), here=True)
        close_all(descriptors)
