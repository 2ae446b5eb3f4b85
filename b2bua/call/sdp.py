"""Session descriptions: read what relaying needs, rewrite where packets go, and keep every other line as it came.

Rule 1: a line that Tonewall does not need to touch crosses byte by byte, unknown ones included (RFC 4566 section 5).
Rule 2: what media cannot carry is refused in place, with port 0 (RFC 3264 section 6); an m-line is never removed.
Rule 3: nothing of a leg's topology crosses: addresses, ports, origin and ICE candidates are ours or gone, as are the words
        and names that a peer has for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from b2bua.call import addresses, sdes, sdp_lines
from b2bua.call.addresses import NOWHERE, connection, family, numeric
from b2bua.call.codecs import Codec, PayloadTypes, clock_rate, looked_into_of, named_codecs, small, types_of
from b2bua.call.sdp_lines import MUX, Facts, facts, facts_known, of_formats, split, split_known, withdrawn
from media.events import LocalStream, RemoteStream, StreamKeys

SdpError = sdp_lines.SdpError
CONTENT_TYPE = "application/sdp"
MOST_BYTES = 32 * 1024
MOST_MEDIA = 16
# What the relay can carry: RTP over UDP. Encryption ends at each leg where its keys are in the description (RFC 4568); any other
# keying of SAVP stays between the ends.
CLEAR = frozenset({"RTP/AVP", "RTP/AVPF"})
RTP = CLEAR | {"RTP/SAVP", "RTP/SAVPF"}
# And datagrams that it does not look into: fax (T.38 over UDPTL, RFC 3362; ITU-T T.38 annex D) and floor control (RFC 8856).
DATAGRAMS = frozenset({"UDPTL", "UDP/BFCP"})


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """One m-line and the lines that belong to it. `lines` excludes the m-line itself."""

    kind: str
    port: int
    ports: int
    protocol: str
    formats: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def relayed(self) -> bool:
        """Whether packets of this m-line can pass: it is in use and of a kind that the relay knows."""
        return self.port != 0 and self.ports == 1 and (self.is_rtp or self.protocol.upper() in DATAGRAMS)

    @property
    def is_rtp(self) -> bool:
        """Whether its packets are RTP, with RTCP beside them."""
        return self.protocol in RTP

    @property
    def capturable(self) -> bool:
        """Whether a card can be keyed into it: audio that media can look into, with telephone-event."""
        return self.kind == "audio" and self.relayed and self.is_open and bool(self.payload_types().events)

    @property
    def heard(self) -> bool:
        """Whether media hears tones in it as they are keyed: G.711 or G.722 of its own."""
        types = self.payload_types()
        return self.kind == "audio" and self.relayed and self.is_open and bool(types.mu or types.a or types.g722)

    @property
    def crypto(self) -> sdes.Crypto | None:
        """The keys that its end sends with; None: in clear, or keyed in a way that we take no part in."""
        return sdes.chosen(self.attributes("crypto")) if self.is_rtp and self.protocol not in CLEAR else None

    @property
    def is_open(self) -> bool:
        """Whether media can look into its packets."""
        return self.protocol in CLEAR or self.crypto is not None

    @property
    def muxed(self) -> bool:
        """Whether its end would have RTCP on the RTP port (RFC 5761)."""
        return self.is_rtp and self.facts.muxed

    def rtcp(self, address: str) -> tuple[str, int]:
        """Where its end expects RTCP; `address`: its own."""
        return addresses.rtcp(self.attributes("rtcp"), address, self.port, muxed=self.muxed)

    def attributes(self, name: str) -> tuple[str, ...]:
        """The values of `a=name:value`."""
        return self.facts.attributes.get(name, ())

    def payload_types(self) -> PayloadTypes:
        """What its payload types stand for."""
        return types_of(self.formats, self.attributes("rtpmap"), self.attributes("fmtp"), self.kind, self.is_open)

    @property
    def facts(self) -> Facts:
        """What its lines say."""
        return (facts_known if self.protocol in CLEAR else facts)(self.lines)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A parsed body: the session's lines and its media, in order."""

    lines: tuple[str, ...]
    media: tuple[MediaDescription, ...]

    def address(self, media: MediaDescription) -> str:
        """The connection address that holds for `media`: its own, else the session's."""
        for line in (*media.lines, *self.lines):
            if line.startswith("c="):
                parts = line[2:].split()
                address = parts[-1].partition("/")[0] if parts else ""
                if len(parts) == 3 and parts[0] == "IN" and parts[1] in ("IP4", "IP6") and numeric(address):
                    return address
                raise SdpError("c= is not `IN IP4|IP6 address` with a numeric address")
        raise SdpError("no c= line for an m-line")

    def capturable(self) -> bool:
        """Whether this end would let a card be keyed. Whether one can be is agreed by both: see `agree_on_keys`."""
        return any(media.capturable for media in self.media)


def agreed_codec(one: SessionDescription, other: SessionDescription) -> Codec | None:
    """The audio codec that is most likely used between the two: the first of the shorter list that the other has too."""
    lists = [_codecs(description) for description in (one, other)]
    first, second = sorted(lists, key=len)
    return next((codec for codec in first if codec in second), None)


def _codecs(described: SessionDescription) -> list[Codec]:
    media = next((media for media in described.media if media.kind == "audio" and media.port), None)
    if media is None:
        return []
    return named_codecs(media.formats, media.attributes("rtpmap"))


def agree_on_keys(one: SessionDescription, other: SessionDescription) -> bool:
    """Whether keys travel as telephone-event between the two: an m-line of both has it. Else phones send tones."""
    return any(mine.capturable and yours.capturable for mine, yours in zip(one.media, other.media, strict=False))


def agree_on_tones(one: SessionDescription, other: SessionDescription) -> bool:
    """Whether media would hear tones between the two."""
    return any(mine.heard and yours.heard for mine, yours in zip(one.media, other.media, strict=False))


def parse(body: bytes) -> SessionDescription:
    """Read an offer or answer. Raises SdpError for what is not one, or is too large to be honest."""
    if len(body) > MOST_BYTES:
        raise SdpError(f"longer than {MOST_BYTES} bytes")
    # Free text may be in any charset (RFC 4566 section 6, a=charset): a byte is a character here, and a byte again.
    text = body.decode("latin-1").replace("\r\n", "\n")
    head, *sections = text.split("\nm=")
    if head.lstrip("\n").partition("\n")[0] != "v=0":
        raise SdpError("does not begin with v=0")
    if "\r" in text or "\0" in text:
        raise SdpError("a control character in a line that is not `type=value`")
    lines = split(head)
    if not 0 < len(sections) <= MOST_MEDIA:
        raise SdpError(f"{len(sections)} m-lines, expected 1 to {MOST_MEDIA}")
    media = tuple(map(_media, sections))
    origins = sum(line.startswith("o=") for line in lines)
    if origins != 1 or any(line.startswith("o=") for each in media for line in each.lines):
        raise SdpError("not exactly one o= line, before all media")
    described = SessionDescription(lines, media)
    for each in media:
        if each.port:
            described.address(each)
    return described


def _media(section: str) -> MediaDescription:
    """`section`: from behind `m=` to the next."""
    first, _, rest = section.partition("\n")
    parts = first.split()
    if len(parts) < 4:
        raise SdpError("m= is not `media port protocol formats`")
    port, _, ports = parts[1].partition("/")
    if not (small(port) and small(ports or "1")):
        raise SdpError("m= has no valid port")
    lines = (split_known if parts[2] in CLEAR else split)(rest)
    return MediaDescription(parts[0], int(port), int(ports or "1"), parts[2], tuple(parts[3:]), lines)


def remote_streams(
    described: SessionDescription, *, latch: bool, keys: Sequence[StreamKeys | None] = ()
) -> tuple[RemoteStream, ...]:
    """Where this leg's peer is, as media needs it: one entry an m-line, port 0 where nothing is to pass."""
    streams = []
    for index, media in enumerate(described.media):
        address = described.address(media) if media.port else NOWHERE[0]
        types = media.payload_types()
        silent = not media.relayed or address in NOWHERE
        rtcp_address, rtcp_port = media.rtcp(address) if media.is_rtp else (address, 0)
        streams.append(
            RemoteStream(
                address=address,
                port=0 if silent else media.port,
                rtcp_address=rtcp_address,
                rtcp_port=0 if silent else rtcp_port,
                event_types=types.events,
                mu_types=types.mu,
                a_types=types.a,
                g722_types=types.g722,
                decoded_types=types.decoded,
                opaque_types=types.opaque,
                other_types=types.other,
                red_types=types.red,
                clock_rate=clock_rate(media.kind, media.formats, media.attributes("rtpmap")),
                rtp=media.is_rtp,
                keys=keys[index] if index < len(keys) else None,
                latch=latch,
            )
        )
    return tuple(streams)


def rewrite(
    described: SessionDescription,
    local: Sequence[LocalStream],
    session: int,
    version: int,
    cryptos: Sequence[tuple[str, ...] | None] = (),
    muxed: Sequence[bool] = (),
) -> bytes:
    """The description for the other leg: the same, but our addresses and ports, and our origin.

    `cryptos`: the lines of keys that an m-line has there (none: it is in clear); None: it stays as it is.
    `muxed`: where that leg has said that it would have RTCP on the RTP port, and so is told the same.
    `local` has where we listen on that other leg, one entry an m-line; m-lines beyond it are refused.
    """
    ours = local[0].address if local else "127.0.0.1"
    lines: list[str] = []
    for line in described.lines:
        if line.startswith("o="):
            lines.append(f"o=- {session} {version} IN {family(ours)} {ours}")
        elif line.startswith("s="):
            lines.append("s=-")
        elif line.startswith("c="):
            lines.append(connection(line, ours))
        elif not withdrawn(line):
            lines.append(line)
    for index, media in enumerate(described.media):
        here = local[index] if index < len(local) and media.relayed else None
        count = "" if media.ports == 1 else f"/{media.ports}"
        port = f"{here.port}" if here else f"0{count}"
        crypto = cryptos[index] if index < len(cryptos) else None
        protocol = media.protocol if crypto is None else _protocol(media, sealed=bool(crypto))
        lines.append(f"m={media.kind} {port} {protocol} {' '.join(media.formats)}")
        for line in media.facts.crossing:
            if crypto is not None and line.startswith(sdes.ATTRIBUTE):
                continue
            lines.append(connection(line, here.address if here else ours) if line.startswith("c=") else line)
        lines.extend(crypto or ())
        if here and media.is_rtp and index < len(muxed) and muxed[index]:
            lines.append(MUX)
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def _protocol(media: MediaDescription, *, sealed: bool) -> str:
    return "RTP/" + ("SAVP" if sealed else "AVP") + ("F" if media.protocol.endswith("F") else "")


_DIRECTIONS = frozenset({"a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"})


def holds(described: SessionDescription) -> bool:
    """Whether its end keeps the other on hold, in whichever form (RFC 3264 section 8.4)."""
    lines = [*described.lines, *(line for media in described.media for line in media.lines)]
    return any(_nowhere(line) or line.strip() in {"a=sendonly", "a=inactive"} for line in lines)


def resumed(described: SessionDescription) -> SessionDescription:
    """The same session, not on hold, in whichever form it was (RFC 3264 section 8.4)."""

    def lines(held: tuple[str, ...]) -> tuple[str, ...]:
        # Any address but nowhere: our own takes its place when it is rewritten.
        awake = ["c=IN IP4 127.0.0.1" if _nowhere(line) else line for line in held]
        return tuple(line for line in awake if line.strip() not in _DIRECTIONS)

    media = tuple(replace(each, lines=lines(each.lines)) for each in described.media)
    return SessionDescription(lines(described.lines), media)


def sealed(described: SessionDescription) -> SessionDescription:
    """The description with all RTP refused that is not encrypted."""
    media = tuple(replace(each, port=0) if each.protocol in CLEAR else each for each in described.media)
    return SessionDescription(described.lines, media)


def limited(described: SessionDescription, kinds: frozenset[str]) -> SessionDescription:
    """The description with all m-lines refused whose kind (audio, video, image, …) is not among these."""
    if all(media.kind in kinds for media in described.media):
        return described
    media = tuple(each if each.kind in kinds else replace(each, port=0) for each in described.media)
    return SessionDescription(described.lines, media)


def looked_into(described: SessionDescription, *, decoded: bool) -> SessionDescription:
    """The description without the audio codecs that media cannot look into; an m-line that has no other is refused.

    `decoded`: there is a decoder process. Audio whose keys we do not have stays: no card is captured in it (see
    `MediaDescription.capturable`).
    """
    media = tuple(
        _looked_into(each, decoded) if each.kind == "audio" and each.is_open else each for each in described.media
    )
    return described if media == described.media else SessionDescription(described.lines, media)


def _looked_into(media: MediaDescription, decoded: bool) -> MediaDescription:
    formats = looked_into_of(media.formats, media.attributes("rtpmap"), media.attributes("fmtp"), decoded)
    if not formats:
        return replace(media, port=0)
    return only(media, formats)


def only(media: MediaDescription, formats: tuple[str, ...]) -> MediaDescription:
    """The m-line with these of its formats."""
    if formats == media.formats and media.facts.about.issubset((*formats, "*")):
        return media
    return replace(media, formats=formats, lines=of_formats(media.lines, formats))


def echoed(described: SessionDescription, known: Sequence[SessionDescription]) -> SessionDescription | None:
    """What is left of a description when it may say nothing but what `known` said: its address, ports and directions, and of the
    rest the lines and formats that stand in one of those. None where no format of an m-line in use is left."""
    session = {line for each in known for line in each.lines}
    kept = [
        line for line in described.lines if _is_plain(line) or (line in session and line[:2] not in ("v=", "s=", "t="))
    ]
    media = []
    for index, each in enumerate(described.media):
        before = [other.media[index] for other in known if index < len(other.media)]
        same = [other for other in before if (other.kind, other.protocol) == (each.kind, each.protocol)]
        formats = tuple(format_ for format_ in each.formats if any(format_ in other.formats for other in same))
        if each.port and not formats:
            return None
        lines = {line for other in same for line in other.lines}
        media.append(
            MediaDescription(
                kind=each.kind if same else "audio",
                port=each.port if same else 0,
                ports=1,
                protocol=each.protocol if same else "RTP/AVP",
                formats=formats or ("0",),
                lines=tuple(line for line in each.lines if _is_plain(line) or line in lines),
            )
        )
    return SessionDescription(("v=0", "s=-", *kept, "t=0 0"), tuple(media))


def _is_plain(line: str) -> bool:
    """An address, a direction, our peer's RTCP port or its key: read here, and written anew for the other leg."""
    is_key = line.startswith(sdes.ATTRIBUTE) and sdes.read(line.removeprefix(sdes.ATTRIBUTE)) is not None
    return is_key or line.startswith(("o=", "c=", "a=rtcp:")) or line.strip() in _DIRECTIONS


def _nowhere(line: str) -> bool:
    return line.startswith("c=") and line.rsplit(maxsplit=1)[-1] in NOWHERE
