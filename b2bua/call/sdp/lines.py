"""The lines of an m-line, and what is read out of them once: the phones of a trunk send the same
few in every call.

Rule 1: what is remembered is of m-lines in clear: beside a key of SRTP it would outlast the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

MUX = "a=rtcp-mux"
# Attributes that name addresses which are not ours, or promise what the relay does not do: ICE (RFC
# 8839), DTLS (RFC 8842), several m-lines on one port (RFC 9143), other connections (RFC 6947),
# filters on a source that the other leg never sees (RFC 4570). Without them the ends fall back to
# plain RTP and RTCP port pairs. RTCP on the RTP port (RFC 5761) is agreed on with each leg by
# itself: see `rewrite_description`.
WITHDRAWN = frozenset(
    {
        "candidate", "remote-candidates", "end-of-candidates", "ice-ufrag", "ice-pwd", "ice-options",
        "ice-lite",
        "ice-mismatch", "ice-pacing", "rtcp", "rtcp-mux", "rtcp-mux-only", "altc", "source-filter",
        "fingerprint", "setup", "tls-id", "bundle-only", "tool",
    }
)  # fmt: skip
# Words about a peer, its pages, mail addresses and telephones (RFC 8866 sections 5.4 to 5.6); the
# names of its sources (RFC 5576 section 6.1) and of its session say where it is, too.
_ABOUT_THEM = ("i=", "u=", "e=", "p=")
_KEY = "k="  # RFC 8866 section 5.12: it is to be discarded
# The order of lines (RFC 8866 section 9): `r=` and `z=` belong to the `t=` before them.
# What has no place stands with the attributes.
_ORDER = {
    True: {
        "v": 0,
        "o": 1,
        "s": 2,
        "i": 3,
        "u": 4,
        "e": 5,
        "p": 6,
        "c": 7,
        "b": 8,
        "t": 9,
        "r": 9,
        "z": 9,
        "k": 10,
    },
    False: {"i": 0, "c": 1, "b": 2, "k": 3},
}
_LAST = 11
_OF_FORMAT = ("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:")


class SdpError(ValueError):
    """Not a session description that can be relayed; the text names the rule, never the content."""


@dataclass(frozen=True, slots=True)
class LineFacts:
    """What lines say. `attributes`: the values of `a=name:value`, by name; `crossing`: the lines
    that cross to the other leg; `about`: the payload types that some are about; `muxed`: see
    `MediaDescription.muxed`."""

    attributes: Mapping[str, tuple[str, ...]]
    crossing: tuple[str, ...]
    about: frozenset[str]
    muxed: bool


def split_media(text: str) -> tuple[str, ...]:
    """The lines of an m-line, empty ones left out, in the order of RFC 8866. Raises SdpError."""
    return order_lines(_lines(text), of_session=False)


def split_session(text: str) -> tuple[str, ...]:
    """The lines before all m-lines, in the same way; `s=` and `t=`, which some forget, are
    there."""
    lines = _lines(text)
    for line in ("s=-", "t=0 0"):
        if not any(each.startswith(line[:2]) for each in lines):
            lines.append(line)
    return order_lines(lines, of_session=True)


def _lines(text: str) -> list[str]:
    lines = [line for line in text.split("\n") if line.strip(" \t")]
    if any(line[1:2] != "=" for line in lines):
        raise SdpError("a line that is not `type=value`")
    return lines


def order_lines(lines: list[str], *, of_session: bool) -> tuple[str, ...]:
    """Of several `c=` the first stays: more than one is for multicast (section 5.7)."""
    places = _ORDER[of_session]
    first = next((at for at, line in enumerate(lines) if line.startswith("c=")), None)
    kept = [line for at, line in enumerate(lines) if at == first or not line.startswith("c=")]
    return tuple(sorted(kept, key=lambda line: places.get(line[0], _LAST)))


def parse_lines(lines: tuple[str, ...]) -> LineFacts:
    attributes: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon and name.startswith("a="):
            attributes.setdefault(name[2:], []).append(value)
    return LineFacts(
        {name: tuple(values) for name, values in attributes.items()},
        tuple(line for line in lines if not is_withdrawn(line)),
        frozenset(payload_type(line) for line in lines if line.startswith(_OF_FORMAT)),
        any(line.strip() == MUX for line in lines),
    )


split_known_media = lru_cache(maxsize=256)(split_media)
parse_known_lines = lru_cache(maxsize=256)(parse_lines)


def is_withdrawn(line: str) -> bool:
    """Whether a line crosses to no other leg."""
    if line.startswith((*_ABOUT_THEM, _KEY)) or (line.startswith("a=ssrc:") and " cname:" in line):
        return True
    return line.startswith("a=") and (
        line[2:].partition(":")[0] in WITHDRAWN or line.startswith("a=group:BUNDLE")
    )


def lines_of_formats(lines: tuple[str, ...], formats: tuple[str, ...]) -> tuple[str, ...]:
    """The lines without those that are about other payload types."""
    kept = {*formats, "*"}
    return tuple(line for line in lines if not line.startswith(_OF_FORMAT) or payload_type(line) in kept)


def payload_type(line: str) -> str:
    """The payload type that an attribute of a format is about."""
    return line.partition(":")[2].replace("\t", " ").strip().partition(" ")[0]
