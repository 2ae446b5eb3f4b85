"""The table of codecs agrees with the core, with SDP and with FFmpeg."""

import re
from pathlib import Path

import pytest

from b2bua.call.sdp.codecs import payload_types_of
from b2bua.ladder.words import CODECS
from media.codecs import STATIC_AUDIO, DecodedCodec
from media.decoder.ffmpeg import Decoder
from media.mask_policy import MaskPolicy

CORE = Path(__file__).parents[3] / "media/core"
every_codec = pytest.mark.parametrize("codec", DecodedCodec, ids=lambda codec: codec.name)


def enumerators(enum: str, prefix: str) -> list[str]:
    """Of a C enum, in order."""
    headers = "".join(path.read_text() for path in sorted(CORE.rglob("*.h")))
    found = re.findall(rf"enum {enum}\s*\{{([^}}]*)\}}", headers)
    assert len(found) == 1
    return re.findall(rf"\b{prefix}(\w+)", found[0])


def test_the_core_numbers_codecs_in_the_order_of_the_table() -> None:
    assert enumerators("codec", "CODEC_") == ["NONE", *(codec.name for codec in DecodedCodec)]
    assert [codec.number for codec in DecodedCodec] == list(range(1, len(DecodedCodec) + 1))
    assert [DecodedCodec.numbered(codec.number) for codec in DecodedCodec] == list(DecodedCodec)
    assert DecodedCodec.numbered(0) is DecodedCodec.numbered(len(DecodedCodec) + 1) is None


def test_the_core_numbers_mask_policies_in_their_order() -> None:
    assert enumerators("policy", "POLICY_") == [policy.name for policy in MaskPolicy]


@every_codec
def test_sdp_names_each_codec_and_the_ladder_has_a_word_for_it(codec: DecodedCodec) -> None:
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    octets = "octet-align=1" if codec.payload.accepts({"octet-align": "1"}) else "octet-align=0"
    maps = (f"96 {codec.encoding}/{codec.clock_rate}{channels}",)
    assert payload_types_of(("96",), maps, (f"96 {octets}",), "audio", True).decoded == ((96, codec),)
    assert CODECS[codec.encoding.lower()] == codec.encoding


def test_static_payload_types_of_decoded_codecs_need_no_rtpmap() -> None:
    named = payload_types_of(tuple(map(str, STATIC_AUDIO)), (), (), "audio", True)
    assert dict(named.decoded) == {3: DecodedCodec.GSM, 18: DecodedCodec.G729}
    assert (named.mu, named.a, named.g722, named.opaque) == ((0,), (8,), (9,), (4, 15))


@every_codec
@pytest.mark.parametrize("frames", [1, 2, 3, 8])
def test_silence_is_whole_frames_of_the_codec(codec: DecodedCodec, frames: int) -> None:
    payload = codec.payload
    assert payload.duration(payload.silence(frames * payload.unit)) == frames * payload.unit
    assert payload.silence(payload.unit - 1) == b""
    assert payload.duration(b"") == 0


@every_codec
def test_ffmpeg_has_a_decoder_for_each(codec: DecodedCodec) -> None:
    assert Decoder(codec).channels == codec.channels
