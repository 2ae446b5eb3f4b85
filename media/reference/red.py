"""Redundant RTP payloads (RFC 2198): what is in them, and how far back they may reach.

Rule 1: nothing raises on a packet; a payload whose lengths do not fit has no blocks, nor has one of
        more than BLOCKS.
Rule 2: a block is looked at by its own payload type; redundancy within redundancy is not opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from media.formats.rtp import Rtp, Ssrc

BLOCKS = 8  # more than any sender has use for
MAX_OFFSET = 0x3FFF  # units of rtp_timestamp that a block can be older than its packet
_WRAP = 1 << 32


@dataclass(frozen=True, slots=True)
class Block:
    """What would be a packet of its own. `copy`: it is redundant; the last block of a packet, the
    primary, is not."""

    payload_type: int
    rtp_timestamp: int
    payload: bytes = field(repr=False)
    copy: bool = False


def unwrap(rtp: Rtp) -> tuple[Block, ...]:
    """The blocks in the order of the payload, the primary last; none where it is malformed."""
    payload, at = rtp.payload, 0
    heads: list[tuple[int, int, int]] = []  # payload type, offset, length
    while len(payload) - at >= 4 and payload[at] & 0x80 and len(heads) < BLOCKS:
        word = int.from_bytes(payload[at : at + 4], "big")
        heads.append((word >> 24 & 0x7F, word >> 10 & 0x3FFF, word & 0x3FF))
        at += 4
    if len(heads) == BLOCKS or at == len(payload) or payload[at] & 0x80:
        return ()
    primary, at = payload[at], at + 1
    blocks = []
    for payload_type, offset, length in heads:
        if length > len(payload) - at:
            return ()
        rtp_timestamp = (rtp.rtp_timestamp - offset) % _WRAP
        blocks.append(Block(payload_type, rtp_timestamp, payload[at : at + length], copy=True))
        at += length
    return (*blocks, Block(primary, rtp.rtp_timestamp, payload[at:]))


@dataclass(slots=True)
class Reach:
    """Whether redundancy reaches back to what was said under a mask that is off. Known by SSRC and
    rtp_timestamp: a packet of redundancy that comes first after the mask marks where it ended."""

    _masked: bool = False
    _ended: tuple[Ssrc, int] | None = None

    def note_mask(self) -> None:
        """A packet came under the mask."""
        self._masked, self._ended = True, None

    def is_back(self, rtp: Rtp, blocks: tuple[Block, ...]) -> bool:
        """Whether any block of a packet that came without the mask is from before; a malformed
        packet may be."""
        if not self._masked:
            return False
        if self._ended is None or self._ended[0] != rtp.ssrc:
            self._ended = rtp.ssrc, rtp.rtp_timestamp
        ended = self._ended[1]
        self._masked = not MAX_OFFSET < (rtp.rtp_timestamp - ended) % _WRAP < _WRAP // 2
        return not blocks or any((block.rtp_timestamp - ended) % _WRAP >= _WRAP // 2 for block in blocks)
