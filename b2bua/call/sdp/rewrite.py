"""What one leg said, written for the other: where packets go is ours, and every other line is as it
came.

Rule 1: a line that Tonewall does not need to touch crosses byte by byte, unknown ones included (RFC
        4566 section 5).
Rule 2: what media cannot carry is refused in place, with port 0 (RFC 3264 section 6); an m-line is
        never removed.
Rule 3: nothing of a leg's topology crosses: addresses, ports, origin and ICE candidates are ours or
        gone, as are the words and names that a peer has for itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp import sdes
from b2bua.call.sdp.addresses import address_family, connection_line
from b2bua.call.sdp.lines import MUX, is_withdrawn
from media.stream_description import LocalStream


def rewrite_description(
    described: sdp.SessionDescription,
    local: Sequence[LocalStream],
    session: int,
    version: int,
    cryptos: Sequence[tuple[str, ...] | None] = (),
    muxed: Sequence[bool] = (),
) -> bytes:
    """The description for the other leg: the same, but our addresses and ports, and our origin.

    `cryptos`: the lines of keys that an m-line has there (none: it is in clear); None: it stays as
    it is. `muxed`: where that leg has offered RTCP on the RTP port, and so is answered the
    same. `local` has where we listen on that other leg, one entry an m-line; m-lines beyond it
    are refused.
    """
    ours = local[0].address if local else "127.0.0.1"
    lines: list[str] = []
    for line in described.lines:
        if line.startswith("o="):
            lines.append(f"o=- {session} {version} IN {address_family(ours)} {ours}")
        elif line.startswith("s="):
            lines.append("s=-")
        elif line.startswith("c="):
            lines.append(connection_line(line, ours))
        elif not is_withdrawn(line):
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
            lines.append(
                connection_line(line, here.address if here else ours) if line.startswith("c=") else line
            )
        lines.extend(crypto or ())
        if here and media.is_rtp and index < len(muxed) and muxed[index]:
            lines.append(MUX)
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def _protocol(media: sdp.MediaDescription, *, sealed: bool) -> str:
    return "RTP/" + ("SAVP" if sealed else "AVP") + ("F" if media.protocol.endswith("F") else "")
