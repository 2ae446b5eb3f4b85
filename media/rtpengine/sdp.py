"""Composes the least SDP that makes rtpengine relay as b2bua commands: an offer for one leg, an
answer for the other.

Rule 1: both legs are given the same payload types, all that either ever negotiated: nothing is
        transcoded, and what was an event once stays one.
Rule 2: a stream that has no peer gets our own discard port (RFC 863), so that its ports are kept
        and nobody hears it.
Rule 3: what cannot be looked into, or is no audio, cannot be masked; `maskable` says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from media.events import Side
from media.stream_description import LocalStream, RemoteStream

_DISCARD = 9
_CONNECTION = re.compile(rb"^c=IN IP[46] (\S+)", re.MULTILINE)
_MEDIA = re.compile(rb"^m=\S+ (\d+) ", re.MULTILINE)
_STATIC = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 13: "CN/8000", 18: "G729/8000"}


class NotDescribed(Exception):
    """What the server answered does not describe what it was asked for."""


@dataclass(slots=True)
class Line:
    """One m-line: its payload types by name, and where each side's peer is."""

    types: dict[int, str] = field(default_factory=lambda: {0: "PCMU/8000"})
    peers: dict[Side, RemoteStream] = field(default_factory=dict)
    events: bool = False
    maskable: bool = True
    rtp: bool = True

    def learn(self, side: Side, remote: RemoteStream) -> None:
        """What one leg's SDP says of it."""
        if not self.peers:
            self.types = {}
        self.peers[side] = remote
        self.rtp = remote.rtp
        self.events = self.events or bool(remote.event_types)
        decoded = [number for number, _ in remote.decoded_types]
        dark = [*remote.opaque_types, *decoded, *remote.g722_types, *remote.red_types, *remote.other_types]
        self.maskable = (
            self.maskable and remote.rtp and not dark and not set(remote.mu_types) & set(remote.a_types)
        )
        for numbers, name in (
            (dark, None),
            (remote.mu_types, "PCMU/8000"),
            (remote.a_types, "PCMA/8000"),
            (remote.event_types, "telephone-event/8000"),
        ):
            for number in numbers:
                if self.types.get(number) != "telephone-event/8000":
                    self.types[number] = name or _STATIC.get(number, f"x-{number}/8000")

    def text(self, side: Side, here: str) -> str:
        """Its lines of SDP, as `side` would write them. `here`: our own address, where there is no
        peer."""
        peer = self.peers.get(side)
        address, port = (here, _DISCARD) if peer is None or peer.port == 0 else (peer.address, peer.port)
        connection = f"c=IN IP{6 if ':' in address else 4} {address}\r\n"
        if not self.rtp:
            return f"m=image {port} udptl t38\r\n{connection}"
        kind = "audio" if self.maskable or self.events else "video"
        numbers = " ".join(str(number) for number in self.types) or "0"
        maps = "".join(f"a=rtpmap:{number} {name}\r\n" for number, name in self.types.items())
        return f"m={kind} {port} RTP/AVP {numbers}\r\n{connection}{maps}{_rtcp(peer)}"


def _rtcp(peer: RemoteStream | None) -> str:
    """RFC 3605, and RFC 5761 for who has it on the RTP port."""
    if peer is None or not peer.port or not peer.rtcp_port:
        return ""
    if peer.rtcp_port == peer.port:
        return f"a=rtcp:{peer.port}\r\na=rtcp-mux\r\n"
    return f"a=rtcp:{peer.rtcp_port} IN IP{6 if ':' in peer.rtcp_address else 4} {peer.rtcp_address}\r\n"


def muxing(lines: list[Line]) -> list[str]:
    """What the server is to do about RTCP on the RTP port, so that each leg has it as its own peer
    does."""
    muxed = {
        side
        for line in lines
        for side, peer in line.peers.items()
        if peer.port and peer.port == peer.rtcp_port
    }
    to_agent = ["offer"] if Side.AGENT in muxed else []
    return [*to_agent, "accept" if to_agent and Side.CALLER in muxed else "demux"]


def description(lines: list[Line], side: Side, here: str) -> str:
    """The session as `side` would describe it."""
    family = 6 if ":" in here else 4
    head = f"v=0\r\no=- 1 1 IN IP{family} {here}\r\ns=-\r\nc=IN IP{family} {here}\r\nt=0 0\r\n"
    return head + "".join(line.text(side, here) for line in lines)


def local(sdp: object, count: int) -> tuple[LocalStream, ...]:
    """Where the server listens, m-line by m-line. Raises NotDescribed."""
    if not isinstance(sdp, bytes):
        raise NotDescribed("no SDP")
    head, *parts = re.split(rb"^(?=m=)", sdp, flags=re.MULTILINE)
    streams = []
    for part in parts:
        connection, media = _CONNECTION.search(part) or _CONNECTION.search(head), _MEDIA.match(part)
        if connection is None or media is None or int(media[1]) == 0:
            raise NotDescribed("an m-line without address or port")
        streams.append(LocalStream(connection[1].decode(errors="replace"), int(media[1])))
    if len(streams) != count:
        raise NotDescribed(f"{len(streams)} m-lines instead of {count}")
    return tuple(streams)
