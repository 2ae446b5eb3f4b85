"""The product's mask in the rig: `_core.Mask`, on from the first packet, under each policy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from media import _core
from media.formats.rtp import Rtp, Ssrc, parse, serialise
from media.mask_policy import MaskPolicy
from tests.leak import timeline
from tests.leak.codec import PACKET, encoded
from tests.leak.line import Arrival

FLUSHING = 4  # packets
PAUSE = 400  # blocks: 2 s, as `mute-on-key` waits by default


class Masked:
    """Policy `mask`."""

    policy, guard = MaskPolicy.MASK.number, _core.GUARD

    def through(self, payloads: Sequence[bytes], *, payload_type: int) -> list[bytes]:
        core = self._on()
        left: list[bytes] = []
        # What is held at the end leaves before the mask is off.
        quiet = encoded(np.zeros(FLUSHING * PACKET), payload_type)
        for index, payload in enumerate([*payloads, *quiet]):
            packet = Rtp(payload_type, index == 0, index % 0x10000, index * PACKET, Ssrc(1), payload)
            core.rtp(serialise(packet), index * 20)
            left += core.released()
        left += core.switch(False)
        return [heard.payload for heard in map(parse, left) if heard is not None][:-FLUSHING]

    def relayed(self, arrivals: Sequence[Arrival], *, payload_type: int) -> list[timeline.Packet]:
        core = self._on()
        left: list[bytes] = []
        for one in arrivals:
            core.rtp(bytes(one.packet), one.ms)
            left += core.released()
        left += core.switch(False)  # what is held leaves as noise
        return [heard for heard in map(timeline.parse, left) if heard is not None]

    def _on(self) -> _core.Mask:
        core = _core.Mask(b"\x65", b"", mu=b"\0", a=b"\x08", g722=b"\x09")
        core.switch(True, self.policy, self.guard)
        return core


class MutedOnKey(Masked):
    """Policy `mute-on-key`."""

    policy, guard = MaskPolicy.MUTE_ON_KEY.number, PAUSE


class Muted(Masked):
    """Policy `mute`."""

    policy = MaskPolicy.MUTE.number
