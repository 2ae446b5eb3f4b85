"""Payloads that say nothing, and how long a payload is, codec by codec. The reference of
`media/core/audio/silence.c`.

Rule 1: frames are counted, not read: what leaves depends on nothing that was said.
Rule 2: lengths are in units of the codec's rtp_timestamps.
"""

from __future__ import annotations

from media.mline import DecodedCodec

_OPUS_LEAST, _OPUS_MOST, _OPUS_QUIET = 120, 5760, 16
_AMR_MOST = 32
_AMR = (DecodedCodec.AMR, DecodedCodec.AMR_OCTETS, DecodedCodec.AMR_WB, DecodedCodec.AMR_WB_OCTETS)
_WIDEBAND = (DecodedCodec.AMR_WB, DecodedCodec.AMR_WB_OCTETS)
_OCTETS = (DecodedCodec.AMR_OCTETS, DecodedCodec.AMR_WB_OCTETS)
# What encoders of ITU-T G.729 and GSM 06.10 say of samples that are all 0.
_QUIET = {
    DecodedCodec.G729: bytes.fromhex("785280a000fac20007d6"),
    DecodedCodec.GSM: bytes.fromhex("d820a2e15a") + bytes.fromhex("50004924924924") * 4,
}


def clock(codec: DecodedCodec) -> int:
    """Units a second."""
    return 48000 if codec is DecodedCodec.OPUS else 16000 if codec in _WIDEBAND else 8000


def unit(codec: DecodedCodec) -> int:
    """The least that there is a frame for."""
    match codec:
        case DecodedCodec.OPUS:
            return _OPUS_LEAST
        case DecodedCodec.G729:
            return 80
        case _:
            return 320 if codec in _WIDEBAND else 160


def lasts(codec: DecodedCodec, payload: bytes) -> int:
    """How long it is; 0: nothing could stand in its place."""
    if not payload:
        return 0
    if codec is DecodedCodec.OPUS:
        return _opus_lasts(payload)
    frames = _amr_frames(payload, codec in _OCTETS) if codec in _AMR else len(payload) // len(_QUIET[codec])
    return frames * unit(codec)


def _opus_lasts(payload: bytes) -> int:
    """RFC 6716 section 3.1, table 2."""
    config, code = payload[0] >> 3, payload[0] & 3
    if config >= 16:
        frame = _OPUS_LEAST << config % 4
    elif config >= 12:
        frame = 480 << config % 2
    else:
        frame = (480, 960, 1920, 2880)[config % 4]
    count = (1, 2, 2, payload[1] & 0x3F if len(payload) > 1 else 0)[code]
    return frame * count if frame * count <= _OPUS_MOST else 0


def _amr_frames(payload: bytes, octets: bool) -> int:
    """RFC 4867: frames by their table of contents; 0: it does not end, or is longer than any is."""
    width, at = (8, 8) if octets else (6, 4)
    for frames in range(1, _AMR_MOST + 1):
        if at + width > 8 * len(payload):
            return 0
        if not payload[at // 8] >> (7 - at % 8) & 1:
            return frames
        at += width
    return 0


def silence(codec: DecodedCodec, ticks: int) -> bytes:
    """A payload that says nothing for so long, or as much of it as frames last."""
    frames = ticks // unit(codec)
    if not frames:
        return b""
    if codec is DecodedCodec.OPUS:
        return _opus(frames * _OPUS_LEAST)
    return _amr(frames, codec in _OCTETS) if codec in _AMR else _QUIET[codec] * frames


def _opus(ticks: int) -> bytes:
    """RFC 6716 section 3.1: frames of no length are what a sender leaves out; CELT, narrowband,
    mono."""
    longest = next(power for power in (3, 2, 1, 0) if ticks % (_OPUS_LEAST << power) == 0)
    count = ticks // (_OPUS_LEAST << longest)
    first = (_OPUS_QUIET + longest) << 3
    return bytes([first]) if count == 1 else bytes([first | 3, count])


def _amr(frames: int, octets: bool) -> bytes:
    """RFC 4867: no mode request, then a table of contents in which every frame is NO_DATA (type 15,
    of good quality)."""
    if octets:
        return bytes([0xF0, *[0xFC] * (frames - 1), 0x7C])
    entries = [0x3F] * (frames - 1) + [0x1F]
    bits = "1111" + "".join(f"{entry:06b}" for entry in entries)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
