"""The SDP that rtpengine is given, and what is read out of its own."""

from __future__ import annotations

import pytest

from media.events import Side
from media.rtpengine.sdp import Line, NotDescribed, description, local
from media.stream_description import LocalStream, RemoteStream

HERE = "192.0.2.9"


def remote(port: int = 4000, **more: object) -> RemoteStream:
    given = {"mu_types": (0,), "event_types": (101,), "rtcp_port": 4009, **more}
    return RemoteStream(address="192.0.2.1", port=port, rtcp_address="192.0.2.2", **given)  # type: ignore[arg-type]


def test_a_leg_without_a_peer_is_at_our_own_discard_port() -> None:
    text = description([Line()], Side.CALLER, HERE)
    assert text.endswith("m=audio 9 RTP/AVP 0\r\nc=IN IP4 192.0.2.9\r\na=rtpmap:0 PCMU/8000\r\n")


def test_both_legs_are_given_the_types_of_both() -> None:
    line = Line()
    line.learn(Side.CALLER, remote())
    line.learn(Side.AGENT, remote(mu_types=(), a_types=(8,), event_types=(96,)))
    for side in (Side.CALLER, Side.AGENT):
        text = description([line], side, HERE)
        assert "m=audio 4000 RTP/AVP 0 101 8 96\r\nc=IN IP4 192.0.2.1\r\n" in text
        assert "a=rtcp:4009 IN IP4 192.0.2.2\r\n" in text
        assert "a=rtpmap:96 telephone-event/8000\r\n" in text


def test_what_was_an_event_once_stays_one() -> None:
    line = Line()
    line.learn(Side.CALLER, remote())
    line.learn(Side.CALLER, remote(mu_types=(0, 101), event_types=()))
    assert line.types[101] == "telephone-event/8000"
    assert line.events


@pytest.mark.parametrize(
    "stream",
    [
        remote(opaque_types=(111,)),
        remote(g722_types=(9,)),
        remote(other_types=(98,)),
        remote(rtp=False),
        remote(mu_types=(0,), a_types=(0,)),
    ],
)
def test_what_cannot_be_looked_into_cannot_be_masked(stream: RemoteStream) -> None:
    line = Line()
    line.learn(Side.CALLER, remote())
    assert line.maskable
    line.learn(Side.AGENT, stream)
    assert not line.maskable
    line.learn(Side.AGENT, remote())
    assert not line.maskable, "packets of it may still be on their way"


def test_a_stream_without_rtp_is_fax_and_one_of_video_is_video() -> None:
    fax, video = Line(), Line()
    fax.learn(Side.CALLER, remote(rtp=False, mu_types=(), event_types=()))
    video.learn(Side.CALLER, remote(mu_types=(), event_types=(), other_types=(98,)))
    text = description([fax, video], Side.CALLER, HERE)
    assert "m=image 4000 udptl t38\r\n" in text
    assert "m=video 4000 RTP/AVP 98\r\nc=IN IP4 192.0.2.1\r\na=rtpmap:98 x-98/8000\r\n" in text


def test_where_the_server_listens_is_read_line_by_line() -> None:
    sdp = (
        b"v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 20000 RTP/AVP 0\r\nm=audio 20002 RTP/AVP 0\r\nc=IN IP6 ::1\r\n"
    )
    assert local(sdp, 2) == (LocalStream("10.0.0.1", 20000), LocalStream("::1", 20002))
    for wrong, count in ((sdp, 1), (b"v=0\r\n", 1), (b"m=audio 20000 RTP/AVP 0\r\n", 1), (None, 1)):
        with pytest.raises(NotDescribed):
            local(wrong, count)
    with pytest.raises(NotDescribed):
        local(b"c=IN IP4 10.0.0.1\r\nm=audio 0 RTP/AVP 0\r\n", 1)
