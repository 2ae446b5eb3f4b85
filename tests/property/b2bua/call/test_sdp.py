"""Whatever a peer sends as SDP: it crosses untouched but for what is ours, or is refused as what it
is."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.lines import WITHDRAWN
from b2bua.call.sdp.remote_streams import remote_streams
from b2bua.call.sdp.rewrite import rewrite_description
from media.stream_description import LocalStream

# Any byte that a line may have: no NUL, CR or LF (RFC 4566 section 9, byte-string).
TEXT = st.binary(max_size=40).map(lambda raw: re.sub(rb"[\0\r\n]", b"", raw))
OTHER_LINES = st.builds(
    lambda kind, rest: kind + b"=" + rest, st.sampled_from([b"a", b"b", b"y"]), TEXT
).filter(
    lambda line: not re.match(rb"a=(" + b"|".join(name.encode() for name in WITHDRAWN) + rb")(:|$)", line)
)
PROTOCOLS = st.sampled_from(["RTP/AVP", "RTP/SAVPF", "TCP/MSRP", "UDP/TLS/RTP/SAVPF", "udptl"])
MEDIA = st.tuples(
    st.sampled_from(["audio", "video", "image"]),
    st.integers(0, 65535),
    PROTOCOLS,
    st.lists(st.integers(0, 127).map(str), min_size=1, max_size=6),
    st.lists(OTHER_LINES, max_size=6),
)
BODIES = st.tuples(st.lists(OTHER_LINES, max_size=6), st.lists(MEDIA, min_size=1, max_size=6))
LOCAL = st.lists(
    st.builds(LocalStream, st.sampled_from(["198.51.100.1", "2001:db8::1"]), st.integers(1024, 65534)),
    max_size=6,
)


def written(head: list[bytes], media: list[tuple[str, int, str, list[str], list[bytes]]]) -> bytes:
    def bandwidths(lines: list[bytes], *, are: bool) -> list[bytes]:
        return [line for line in lines if line.startswith(b"b=") is are]

    rows = [b"v=0", b"o=x 1 1 IN IP4 192.0.2.77", b"s=-", b"c=IN IP4 192.0.2.77"]
    rows += [*bandwidths(head, are=True), b"t=0 0", *bandwidths(head, are=False)]
    for kind, port, protocol, formats, others in media:
        rows += [f"m={kind} {port} {protocol} {' '.join(formats)}".encode()]
        rows += [*bandwidths(others, are=True), *bandwidths(others, are=False)]
    return b"\r\n".join(rows) + b"\r\n"


@settings(max_examples=150, deadline=None)
@given(body=BODIES, local=LOCAL, version=st.integers(0, 2**32))
def test_every_line_that_needs_no_touch_crosses_byte_by_byte(body, local: list[LocalStream], version: int):
    before = written(*body)
    after = rewrite_description(sdp.parse_description(before), local, 7, version).split(b"\r\n")
    rows = before.split(b"\r\n")
    assert len(after) == len(rows)
    stream = 0
    for old, new in zip(rows, after, strict=True):
        if old.startswith(b"m="):
            kind, port, protocol, *formats = old[2:].split(b" ")
            passes = (
                stream < len(local) and port != b"0" and protocol.decode().upper() in sdp.RTP | sdp.DATAGRAMS
            )
            expected = str(local[stream].port).encode() if passes else b"0"
            assert new == b"m=" + b" ".join([kind, expected, protocol, *formats])
            stream += 1
        elif old.startswith((b"o=x", b"c=IN")):
            assert b"192.0.2.77" not in new
        else:
            assert new == old


@settings(max_examples=150, deadline=None)
@given(body=BODIES, local=LOCAL)
def test_what_we_wrote_we_can_read_and_write_again_unchanged(body, local: list[LocalStream]):
    once = rewrite_description(sdp.parse_description(written(*body)), local, 7, 1)
    described = sdp.parse_description(once)
    assert len(described.media) == len(body[1])
    again = [LocalStream(described.find_address(media), media.port) for media in described.media]
    ours = local[0].address if local else "127.0.0.1"
    if all(stream.address == ours for stream in again):
        assert rewrite_description(described, again, 7, 1) == once


@settings(max_examples=300, deadline=None)
@given(
    body=st.one_of(st.binary(max_size=300), BODIES.map(lambda parts: written(*parts))),
    data=st.data(),
)
def test_random_bytes_raise_nothing_but_sdp_errors(body: bytes, data: st.DataObject):
    for _ in range(data.draw(st.integers(0, 6))):
        start = data.draw(st.integers(0, len(body)))
        end = data.draw(st.integers(start, min(len(body), start + 10)))
        body = body[:start] + data.draw(st.binary(max_size=6)) + body[end:]
    try:
        described = sdp.parse_description(body)
    except sdp.SdpError:
        return
    streams = remote_streams(described, latch=True)
    assert len(streams) == len(described.media)
    assert all(0 <= stream.port < 65536 and 0 <= stream.rtcp_port < 65536 for stream in streams)
    assert all(
        0 <= number < 128
        for stream in streams
        for types in (
            stream.event_types,
            stream.mu_types,
            stream.opaque_types,
            stream.other_types,
            stream.red_types,
        )
        for number in types
    )
    after = rewrite_description(described, [LocalStream("198.51.100.1", 20000)], 7, 1)
    assert len(sdp.parse_description(after).media) == len(described.media)
