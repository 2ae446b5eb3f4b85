"""Packets through the mask of the core, at their pace."""

from __future__ import annotations

from collections.abc import Iterable

from media import _core
from tests.leak.codec import G722, PCMA, PCMU
from tests.leak.core import Masked
from tests.leak.timeline import Packet

EVENT = 101


def through(mask: type[Masked], packets: Iterable[tuple[int, bytes]]) -> tuple[list[bytes], str]:
    """What leaves for the agent, and the digits that were captured. The packets come with their
    time in ms."""
    types = {"mu": bytes([PCMU]), "a": bytes([PCMA]), "g722": bytes([G722]), "opaque": bytes(range(96, 101))}
    core = _core.Mask(bytes([EVENT]), b"", **types)  # type: ignore[arg-type]
    core.switch(True, mask.policy, mask.guard)
    left: list[bytes] = []
    now, digits = 0, b""
    for now, packet in packets:
        out, _ = core.rtp(packet, now)
        left += [out] if out is not None else []
        left += core.released()
        digits += core.take_ripe(now)
    left += core.switch(False)
    return left, (digits + core.take_ripe(now + 1000)).decode()


def paced(packets: Iterable[Packet]) -> list[tuple[int, bytes]]:
    return [(20 * index, bytes(packet)) for index, packet in enumerate(packets)]
