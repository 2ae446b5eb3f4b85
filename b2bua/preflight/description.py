"""The audio of a peer's session description (RFC 8866, RFC 3264), and ours: G.711,
telephone-events, SRTP.

Rule 1: no description raises; what cannot be read is left out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from b2bua.call.sdp.sdes import Crypto, crypto_line, parse_crypto

MAX_FORMATS: Final = 64
STATIC: Final = {
    0: ("PCMU", 8000), 3: ("GSM", 8000), 4: ("G723", 8000), 8: ("PCMA", 8000), 9: ("G722", 8000),
    13: ("CN", 8000), 15: ("G728", 8000), 18: ("G729", 8000),
}  # fmt: skip  # RFC 3551 section 6; the clock of G722 is 8,000 Hz there
_EVENT: Final = "telephone-event"
_MEDIA = re.compile(r"audio (\d{1,5})(?:/\d+)? (\S{1,40}) ([\d ]{1,400})")
_RTPMAP = re.compile(r"rtpmap:(\d{1,3}) ([A-Za-z0-9._-]{1,40})/(\d{1,6})")
_PTIME = re.compile(r"ptime:(\d{1,3})")
_OURS: Final = (0, 8)


@dataclass(frozen=True, slots=True)
class Format:
    """A payload type with its encoding and clock rate in Hz."""

    kind: int
    encoding: str
    clock: int

    @property
    def is_event(self) -> bool:
        """Whether it carries keys (RFC 4733)."""
        return self.encoding.lower() == _EVENT


@dataclass(frozen=True, slots=True)
class Description:
    """The first m-line of audio. `port` 0: there is none. `ptime` in ms, 0 where none is named;
    `cryptos`: usable keys of SRTP; `suites`: all that were named."""

    host: str = ""
    port: int = 0
    protocol: str = ""
    formats: tuple[Format, ...] = ()
    ptime: int = 0
    cryptos: tuple[Crypto, ...] = ()
    suites: tuple[str, ...] = ()

    @property
    def events(self) -> tuple[Format, ...]:
        """The formats of keys."""
        return tuple(each for each in self.formats if each.is_event)

    @property
    def codecs(self) -> tuple[Format, ...]:
        """The formats of audio, the preferred first."""
        return tuple(each for each in self.formats if not each.is_event and each.kind != 13)

    @property
    def is_encrypted(self) -> bool:
        """Whether its RTP is SRTP."""
        return "SAVP" in self.protocol


def parse_description(body: str) -> Description:
    """What a description says of its first audio; an empty one where it has none."""
    head, *sections = re.split(r"\r?\nm=", f"\n{body}")
    section = next((each for each in sections if each.startswith("audio ")), "")
    media = _MEDIA.match(section)
    if media is None:
        return Description()
    lines = section.splitlines()
    attributes = [line[2:] for line in lines if line.startswith("a=")]
    maps = {int(found[1]): (found[2], int(found[3])) for found in map(_RTPMAP.match, attributes) if found}
    kinds = [int(each) for each in media[3].split()[:MAX_FORMATS]]
    known = STATIC | maps
    ptime = next((int(found[1]) for found in map(_PTIME.match, attributes) if found), 0)
    cryptos = [each.removeprefix("crypto:") for each in attributes if each.startswith("crypto:")]
    return Description(
        host=_connection(lines) or _connection(head.splitlines()),
        port=int(media[1]),
        protocol=media[2].upper(),
        formats=tuple(Format(kind, *known.get(kind, ("unknown", 8000))) for kind in kinds),
        ptime=ptime,
        cryptos=tuple(found for found in map(parse_crypto, cryptos) if found is not None),
        suites=tuple(each.split()[1][:40] for each in cryptos if len(each.split()) > 1),
    )


def write_description(host: str, port: int, crypto: Crypto | None, remote: Description | None = None) -> str:
    """Our offer, or the answer to `remote`: G.711 and its telephone-events. `crypto`: ours."""
    if remote is None:
        formats = [*(Format(kind, *STATIC[kind]) for kind in _OURS), Format(101, _EVENT, 8000)]
    else:
        codec = next((each for each in remote.codecs if each.kind in _OURS), Format(8, *STATIC[8]))
        formats = [codec, *remote.events]
    family = "IP6" if ":" in host else "IP4"
    protocol = "RTP/SAVP" if crypto is not None else "RTP/AVP"
    lines = ["v=0", f"o=- 1 1 IN {family} {host}", "s=-", f"c=IN {family} {host}", "t=0 0"]
    lines.append(f"m=audio {port} {protocol} {' '.join(str(each.kind) for each in formats)}")
    for each in formats:
        lines.append(f"a=rtpmap:{each.kind} {each.encoding}/{each.clock}")
        lines += [f"a=fmtp:{each.kind} 0-15"] if each.is_event else []
    if crypto is not None:
        lines.append(crypto_line(crypto.tag, crypto.suite, crypto.key))
    return "\r\n".join([*lines, "a=sendrecv", ""])


def _connection(lines: list[str]) -> str:
    line = next((each for each in lines if each.startswith("c=IN IP")), "")
    return line[9:].partition("/")[0].strip()[:64] if line else ""
