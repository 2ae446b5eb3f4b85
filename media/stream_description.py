"""One m-line of one leg, as b2bua tells media of it and the other way round: where its packets go,
and what they are."""

from __future__ import annotations

import msgspec

from media.codecs import DecodedCodec


class LocalStream(msgspec.Struct, frozen=True):
    """Where media listens for one m-line of one leg. The RTCP port is the RTP port plus one."""

    address: str
    port: int


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """Where one leg's packets are received, and the address that its peer gets. Empty: as `[media]`
    says."""

    address: str = ""
    advertised: str = ""


class StreamKeys(msgspec.Struct, frozen=True, kw_only=True):
    """SRTP of one m-line of one leg: a suite of RFC 4568 by name, and a master key with its salt
    for each direction."""

    suite: str
    peer: bytes
    ours: bytes

    def __repr__(self) -> str:
        return f"StreamKeys({self.suite})"


class RemoteStream(msgspec.Struct, frozen=True, kw_only=True):
    """What a leg's SDP says of one m-line: where its packets come from and go to.

    `port` 0 means refused or inactive. `event_types` are the payload types mapped to
    telephone-event (RFC 4733), `mu_types`, `a_types` and `g722_types` those of G.711 and G.722,
    `decoded_types` those that the decoder process looks into, `other_types` those of video, which
    holds no tones, and `opaque_types` the rest: media cannot look into it, and while masked it does
    not pass. `red_types` are redundancy (RFC 2198): its blocks have types of their own.
    `clock_rate` is that of the audio, in Hz; 0: it is none. Where `rtp` is false the packets are of
    another protocol (UDPTL): they are relayed as they are, and while masked those of the customer
    are not. `keys`: it is SRTP; None: in clear. `latch`: take the source of the first packet
    instead (trunks with `nat = yes` only).
    """

    address: str
    port: int
    rtcp_address: str
    rtcp_port: int
    event_types: tuple[int, ...] = ()
    mu_types: tuple[int, ...] = ()
    a_types: tuple[int, ...] = ()
    g722_types: tuple[int, ...] = ()
    decoded_types: tuple[tuple[int, DecodedCodec], ...] = ()
    opaque_types: tuple[int, ...] = ()
    other_types: tuple[int, ...] = ()
    red_types: tuple[int, ...] = ()
    clock_rate: int = 8000
    rtp: bool = True
    keys: StreamKeys | None = None
    latch: bool = False
