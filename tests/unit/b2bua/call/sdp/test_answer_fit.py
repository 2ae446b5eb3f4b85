"""Answers that do not fit their offers (RFC 3264 section 6)."""

from __future__ import annotations

import itertools

import pytest

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.answer_fit import fit_answer
from b2bua.call.sdp.directions import read_direction

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
AUDIO = "m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
VIDEO = "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
FAX = "m=image 4004 udptl t38\r\n"


def read(*media: str, head: str = HEAD) -> sdp.SessionDescription:
    return sdp.parse_description((head + "".join(media)).encode())


def shape(described: sdp.SessionDescription | None) -> list[tuple[str, bool, str, tuple[str, ...]]] | None:
    if described is None:
        return None
    return [(media.kind, bool(media.port), media.protocol, media.formats) for media in described.media]


def test_what_fits_is_not_touched():
    answer = read(
        "m=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n", "m=video 0 RTP/AVP 96\r\n"
    )
    assert fit_answer(answer, read(AUDIO, VIDEO)) is answer


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ([AUDIO], [("audio", True, "RTP/AVP", ("8", "0", "101")), ("video", False, "RTP/AVP", ("96",))]),
        (
            [AUDIO, VIDEO, AUDIO],
            [("audio", True, "RTP/AVP", ("8", "0", "101")), ("video", True, "RTP/AVP", ("96",))],
        ),
        ([AUDIO, FAX], [("audio", True, "RTP/AVP", ("8", "0", "101")), ("video", False, "RTP/AVP", ("96",))]),
        ([VIDEO, AUDIO], None),
    ],
    ids=["too few", "too many", "another kind", "another order"],
)
def test_m_lines_are_those_of_the_offer(answer: list[str], wanted: object):
    assert shape(fit_answer(read(*answer), read(AUDIO, VIDEO))) == wanted


@pytest.mark.parametrize(
    ("protocol", "wanted"),
    [
        ("RTP/AVP", "RTP/AVPF"),
        ("RTP/AVPF", "RTP/AVPF"),
        ("RTP/SAVPF", None),
        ("UDP/TLS/RTP/SAVPF", None),
        ("udp", None),
    ],
)
def test_the_protocol_is_that_of_the_offer_but_for_its_feedback(protocol: str, wanted: str | None):
    offer, answer = (read(AUDIO.replace("RTP/AVP", each)) for each in ("RTP/AVPF", protocol))
    fit = fit_answer(answer, offer)
    assert (fit.media[0].protocol if fit is not None else None) == wanted


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("m=audio 5000 RTP/AVP 8 3 18 101\r\na=rtpmap:101 telephone-event/8000\r\n", ("8", "101")),
        (
            "m=audio 5000 RTP/AVP 96 97\r\na=rtpmap:96 PCMA/8000\r\na=rtpmap:97 telephone-event/8000\r\n",
            ("96", "97"),
        ),
        ("m=audio 5000 RTP/AVP 8 100\r\na=rtpmap:100 telephone-event/48000\r\n", ("8",)),
        ("m=audio 5000 RTP/AVP 0 13\r\n", ("0",)),
        ("m=audio 5000 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n", None),
        ("m=audio 5000 RTP/AVP 3\r\n", None),
        ("m=audio 5000 RTP/AVP 8\r\na=rtpmap:8 PCMU/8000\r\n", ("8",)),
        ("m=audio 5000 RTP/AVP 101\r\na=rtpmap:101 opus/48000/2\r\n", None),
        ("m=audio 5000 RTP/AVP 99\r\n", None),
    ],
)
def test_formats_are_among_those_of_the_offer_whatever_their_numbers(
    answer: str, wanted: tuple[str, ...] | None
):
    fit = fit_answer(read(answer), read(AUDIO))
    assert (fit.media[0].formats if fit is not None else None) == wanted
    assert fit is None or all("GSM" not in line and "48000" not in line for line in fit.media[0].lines)


@pytest.mark.parametrize(("format_", "is_taken"), [("t38", True), ("T38", True), ("other", False)])
def test_a_fax_is_answered_by_a_fax(format_: str, is_taken: bool):
    assert (fit_answer(read(FAX.replace("t38", format_)), read(FAX)) is not None) is is_taken


def test_what_the_offer_refused_stays_refused():
    fit = fit_answer(read(AUDIO, VIDEO), read(AUDIO, VIDEO.replace("4002", "0")))
    assert shape(fit)[1] == ("video", False, "RTP/AVP", ("96",))
    assert fit_answer(read(AUDIO), read(AUDIO.replace("4000", "0"))) is None


def test_an_answer_that_refuses_everything_is_one():
    answer = read(AUDIO.replace("4000", "0"), VIDEO.replace("4002", "0"))
    assert fit_answer(answer, read(AUDIO, VIDEO)) is answer


ALLOWED = {
    "sendrecv": {"sendrecv", "sendonly", "recvonly", "inactive"},
    "sendonly": {"recvonly", "inactive"},
    "recvonly": {"sendonly", "inactive"},
    "inactive": {"inactive"},
}


@pytest.mark.parametrize(("offered", "answered"), list(itertools.product(ALLOWED, [*ALLOWED, ""])))
@pytest.mark.parametrize("at_session", [False, True])
def test_a_direction_is_one_that_the_offer_allows(offered: str, answered: str, at_session: bool):
    line = f"a={answered}\r\n" if answered else ""
    answer = read(AUDIO, head=HEAD + line) if at_session else read(AUDIO + line)
    fit = fit_answer(answer, read(AUDIO + f"a={offered}\r\n"))
    assert fit is not None
    found = read_direction(fit, fit.media[0])
    assert found in ALLOWED[offered]
    if (answered or "sendrecv") in ALLOWED[offered]:
        assert fit is answer
