"""Payload types and the codecs that they stand for, in an m-line's formats and rtpmaps (RFC 3551,
RFC 4566 section 6).

Rule 1: what carries keys, or may, is distinguished from audio that media can look into; in
        doubt it is opaque.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from media.codecs import STATIC_AUDIO, DecodedCodec, find_codec


class OtherAudio(StrEnum):
    """What becomes of audio codecs that the media core does not know."""

    # Looked into by the decoder process while masked; those that it does not know are not agreed
    # on.
    DECODE = "decode"
    REFUSE = "refuse"  # not agreed on
    MUTE = "mute"  # agreed on, and silent while masked


def is_uint16(text: str) -> bool:
    """Whether it is a number of at most 16 bits."""
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535


@dataclass(frozen=True, slots=True)
class PayloadTypes:
    """Of one m-line: telephone-event, G.711 of either law, G.722, redundancy (RFC 2198) that media
    opens, what the decoder process looks into, what media cannot look into, and video, which holds
    no tones.

    Tone (RFC 4733 section 4) and the redundancy of other media can carry keys in another form: they
    are opaque wherever they stand, and so is what nobody named.
    """

    events: tuple[int, ...]
    mu: tuple[int, ...]
    a: tuple[int, ...]
    g722: tuple[int, ...]
    opaque: tuple[int, ...]
    other: tuple[int, ...]
    decoded: tuple[tuple[int, DecodedCodec], ...] = ()
    red: tuple[int, ...] = ()


_IN_CORE = {"pcmu": "mu", "pcma": "a", "g722": "g722"}
_STATIC_ENCODINGS = {number: (name.lower(), "8000") for number, name in STATIC_AUDIO.items()}


def _decoded(name: str, rate: str, parameters: str) -> DecodedCodec | None:
    """The codec as the decoder process knows it. `parameters`: of its fmtp."""
    given = dict(part.strip().lower().partition("=")[::2] for part in parameters.split(";"))
    return find_codec(name, rate, given)


@lru_cache(maxsize=256)
def encodings_by_type(maps: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """What rtpmaps call their payload types: encoding and clock rate as they stand there, in lower
    case."""
    names = {}
    for value in maps:
        text, _, encoding = value.strip().replace("\t", " ").partition(" ")
        name, _, rate = encoding.strip().lower().partition("/")
        names[text] = (name, rate.removesuffix("/1"))
    return names


@lru_cache(maxsize=256)
def payload_types_of(
    formats: tuple[str, ...], maps: tuple[str, ...], fmtps: tuple[str, ...], kind: str, is_clear: bool
) -> PayloadTypes:
    """What the payload types of one m-line stand for. The phones of a trunk offer the same few
    lists of codecs in every call."""
    names = encodings_by_type(maps)
    parameters = dict(value.strip().partition(" ")[::2] for value in fmtps)
    decoded: list[tuple[int, DecodedCodec]] = []
    numbers: list[int] = sorted(
        {int(text) for text in (*formats, *names) if is_uint16(text) and int(text) < 128}
    )
    kinds: dict[str, list[int]] = {
        "events": [],
        "mu": [],
        "a": [],
        "g722": [],
        "opaque": [],
        "other": [],
        "red": [],
    }
    for number in numbers:
        # What nobody named can be anything (RFC 3551 section 3: 96 to 127 mean nothing without an
        # rtpmap).
        name, rate = names.get(str(number)) or _STATIC_ENCODINGS.get(
            number, ("" if number < 96 else "tone", "8000")
        )
        if name == "telephone-event":
            stands_for = "events"
        elif name == "red" and kind == "audio" and is_clear:
            stands_for = "red"
        elif kind == "video" and name not in ("red", "tone"):
            stands_for = "other"
        else:
            may_be = kind == "audio" and rate == "8000" and is_clear
            stands_for = _IN_CORE.get(name, "opaque") if may_be else "opaque"
            codec = (
                _decoded(name, rate, parameters.get(str(number), ""))
                if kind == "audio" and is_clear
                else None
            )
            if codec is not None:
                decoded.append((number, codec))
                continue
        kinds[stands_for].append(number)
    return PayloadTypes(**{kind: tuple(found) for kind, found in kinds.items()}, decoded=tuple(decoded))


def redundancy_types(red: tuple[int, ...], formats: Iterable[str], parameters: Iterable[str]) -> set[str]:
    """The redundancy that repeats nothing but these formats, by its fmtp (RFC 2198 section 5): `121
    0/0/101`."""
    repeated = {
        text: formats_.replace(" ", "")
        for text, _, formats_ in (value.partition(" ") for value in parameters)
    }
    return {text for text in map(str, red) if set(repeated.get(text, "").split("/")).issubset(formats)}


@lru_cache(maxsize=256)
def decodable_formats(
    formats: tuple[str, ...], maps: tuple[str, ...], fmtps: tuple[str, ...], with_decoded: bool
) -> tuple[str, ...]:
    """Of the formats of audio in clear those that media can look into, with what accompanies them;
    none without a codec.

    `with_decoded`: there is a decoder process."""
    types, names = payload_types_of(formats, maps, fmtps, "audio", True), encodings_by_type(maps)
    codecs = {str(number) for number in (*types.mu, *types.a, *types.g722)}
    if with_decoded:
        codecs |= {str(number) for number, _ in types.decoded}
    if not codecs.intersection(formats):
        return ()
    # Events run on the clock of the audio beside them (RFC 4733 section 2.1); those of a codec that
    # is gone go too.
    events = {str(number) for number in types.events}
    rates = {names[text][1].partition("/")[0] if text in names else "8000" for text in codecs}
    in_time = {text for text in events if names[text][1] in rates} or events
    kept = codecs | in_time | {"13"} | {text for text, (name, _) in names.items() if name == "cn"}
    kept |= redundancy_types(types.red, kept, fmtps)
    return tuple(text for text in formats if text in kept)


@dataclass(frozen=True, slots=True)
class Codec:
    """An encoding as its rtpmap names it. `clock_rate` in Hz."""

    name: str
    clock_rate: int

    def __str__(self) -> str:
        return f"{self.name}/{self.clock_rate}"


_STATIC = {str(number): Codec(name, 8000) for number, name in STATIC_AUDIO.items()}
_NO_CODEC = frozenset({"telephone-event", "cn", "red", "tone"})


@lru_cache(maxsize=256)
def list_codecs(formats: tuple[str, ...], maps: tuple[str, ...]) -> list[Codec]:
    """Those that can be named, in order."""
    return list(codecs_by_type(formats, maps).values())


def codecs_by_type(formats: tuple[str, ...], maps: tuple[str, ...]) -> dict[str, Codec]:
    """The same, by payload type."""
    codecs = dict(_STATIC)
    for value in maps:
        number, _, encoding = value.strip().partition(" ")
        name, _, rate = encoding.strip().partition("/")
        rate = rate.partition("/")[0]
        if (
            is_uint16(number)
            and name
            and rate.isascii()
            and rate.isdigit()
            and 0 < len(rate) <= 6
            and int(rate)
        ):
            codecs[number] = Codec(name[:32].upper(), int(rate))
    found = {number: codecs[number] for number in formats if number in codecs}
    return {number: codec for number, codec in found.items() if codec.name.lower() not in _NO_CODEC}


def clock_rate(kind: str, formats: tuple[str, ...], maps: Iterable[str]) -> int:
    """That of the first audio codec, in Hz; 0 where there is none."""
    codecs = list_codecs(formats, tuple(maps)) if kind == "audio" else []
    return codecs[0].clock_rate if codecs else 0


@lru_cache(maxsize=256)
def find_encodings(formats: tuple[str, ...], maps: tuple[str, ...]) -> dict[str, str]:
    """What each format is, as `name/rate` in lower case; `?/FORMAT` for what nobody named."""
    names = encodings_by_type(maps)
    found = {}
    for text in formats:
        static = _STATIC.get(text)
        if text in names:
            found[text] = "/".join(names[text])
        elif static is not None:
            found[text] = str(static).lower()
        else:
            found[text] = "cn/8000" if text == "13" else f"?/{text}"
    return found


def is_codec(encoding: str) -> bool:
    """Whether it is audio of its own: no event, tone, noise or repetition of something else."""
    return encoding.partition("/")[0] not in _NO_CODEC
