"""Session descriptions as their ends wrote them: read, and asked for what relaying needs.

Rule 1: every line is kept as it came, unknown ones included (RFC 4566 section 5); they are put in
        the order that RFC 8866 gives them, and what it asks for and some leave out is there.
Rule 2: what is not one, or is too large to be honest, is an error; its text never quotes the body.
"""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.call.sdp import addresses, sdes
from b2bua.call.sdp import lines as sdp_lines
from b2bua.call.sdp.addresses import is_numeric
from b2bua.call.sdp.codecs import PayloadTypes, is_uint16, payload_types_of
from b2bua.call.sdp.lines import (
    LineFacts,
    parse_known_lines,
    parse_lines,
    split_known_media,
    split_media,
    split_session,
)

SdpError = sdp_lines.SdpError
CONTENT_TYPE = "application/sdp"
MAX_BYTES = 32 * 1024
MAX_MEDIA = 16
# What the relay can carry: RTP over UDP. Encryption ends at each leg where its keys are in the
# description (RFC 4568); any other keying of SAVP stays between the ends.
CLEAR = frozenset({"RTP/AVP", "RTP/AVPF"})
RTP = CLEAR | {"RTP/SAVP", "RTP/SAVPF"}
# And datagrams that it does not look into: fax (T.38 over UDPTL, RFC 3362; ITU-T T.38 annex D) and
# floor control (RFC 8856).
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
        """Whether packets of this m-line can pass: it is in use and of a kind that the relay
        knows."""
        return self.port != 0 and self.ports == 1 and (self.is_rtp or self.protocol.upper() in DATAGRAMS)

    @property
    def is_rtp(self) -> bool:
        """Whether its packets are RTP, with RTCP beside them."""
        return self.protocol in RTP

    @property
    def capturable(self) -> bool:
        """Whether a card can be keyed into it: audio that media can look into, with
        telephone-event."""
        return self.kind == "audio" and self.relayed and self.is_open and bool(self.payload_types().events)

    @property
    def heard(self) -> bool:
        """Whether media hears tones in it as they are keyed: G.711 or G.722 of its own."""
        types = self.payload_types()
        return (
            self.kind == "audio" and self.relayed and self.is_open and bool(types.mu or types.a or types.g722)
        )

    @property
    def crypto(self) -> sdes.Crypto | None:
        """The keys that its end sends with; None: in clear, or keyed in a way that we take no part
        in."""
        return (
            sdes.choose_crypto(self.find_attributes("crypto"))
            if self.is_rtp and self.protocol not in CLEAR
            else None
        )

    @property
    def is_open(self) -> bool:
        """Whether media can look into its packets."""
        return self.protocol in CLEAR or self.crypto is not None

    @property
    def muxed(self) -> bool:
        """Whether its end would have RTCP on the RTP port (RFC 5761)."""
        return self.is_rtp and self.facts.muxed

    def find_rtcp(self, address: str) -> tuple[str, int]:
        """Where its end expects RTCP; `address`: its own."""
        return addresses.rtcp_address(self.find_attributes("rtcp"), address, self.port, muxed=self.muxed)

    def find_attributes(self, name: str) -> tuple[str, ...]:
        """The values of `a=name:value`."""
        return self.facts.attributes.get(name, ())

    def payload_types(self) -> PayloadTypes:
        """What its payload types stand for."""
        return payload_types_of(
            self.formats,
            self.find_attributes("rtpmap"),
            self.find_attributes("fmtp"),
            self.kind,
            self.is_open,
        )

    @property
    def facts(self) -> LineFacts:
        """What its lines say."""
        return (parse_known_lines if self.protocol in CLEAR else parse_lines)(self.lines)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A parsed body: the session's lines and its media, in order."""

    lines: tuple[str, ...]
    media: tuple[MediaDescription, ...]

    def find_address(self, media: MediaDescription) -> str:
        """The connection address that holds for `media`: its own, else the session's."""
        for line in (*media.lines, *self.lines):
            if line.startswith("c="):
                parts = line[2:].split()
                address = parts[-1].partition("/")[0] if parts else ""
                if (
                    len(parts) == 3
                    and parts[0] == "IN"
                    and parts[1] in ("IP4", "IP6")
                    and is_numeric(address)
                ):
                    return address
                raise SdpError("c= is not `IN IP4|IP6 address` with a numeric address")
        raise SdpError("no c= line for an m-line")

    def allows_capture(self) -> bool:
        """Whether this end would let a card be keyed. Whether one can be is agreed by both: see
        `agrees_on_events`."""
        return any(media.capturable for media in self.media)


def parse_description(body: bytes) -> SessionDescription:
    """Read an offer or answer. Raises SdpError for what is not one, or is too large to be
    honest."""
    if len(body) > MAX_BYTES:
        raise SdpError(f"longer than {MAX_BYTES} bytes")
    # Free text may be in any charset (RFC 4566 section 6, a=charset): a byte is a character here,
    # and a byte again.
    # Some count the NUL behind their text.
    text = body.decode("latin-1").rstrip("\0").replace("\r\n", "\n")
    head, *sections = text.split("\nm=")
    version, _, head = head.lstrip("\n").partition("\n")
    if version.rstrip(" \t") != "v=0":
        raise SdpError("does not begin with v=0")
    if "\r" in text or "\0" in text:
        raise SdpError("a control character in a line that is not `type=value`")
    lines = split_session(f"v=0\n{head}")
    if not 0 < len(sections) <= MAX_MEDIA:
        raise SdpError(f"{len(sections)} m-lines, expected 1 to {MAX_MEDIA}")
    media = tuple(map(_media, sections))
    origins = sum(line.startswith("o=") for line in lines)
    if origins != 1 or any(line.startswith("o=") for each in media for line in each.lines):
        raise SdpError("not exactly one o= line, before all media")
    described = SessionDescription(lines, media)
    for each in media:
        if each.port:
            described.find_address(each)
    return described


def _media(section: str) -> MediaDescription:
    """`section`: from behind `m=` to the next."""
    first, _, rest = section.partition("\n")
    parts = first.split()
    if len(parts) < 4:
        raise SdpError("m= is not `media port protocol formats`")
    port, _, ports = parts[1].partition("/")
    if not (is_uint16(port) and is_uint16(ports or "1")):
        raise SdpError("m= has no valid port")
    lines = (split_known_media if parts[2] in CLEAR else split_media)(rest)
    return MediaDescription(parts[0], int(port), int(ports or "1"), parts[2], tuple(parts[3:]), lines)
