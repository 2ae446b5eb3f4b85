"""Session descriptions: what is read, what is rewritten, and that everything else crosses as it
came."""

from __future__ import annotations

import base64

import pytest

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp import lines as sdp_lines
from b2bua.call.sdp.filters import without_opaque_audio
from b2bua.call.sdp.hold import is_hold
from b2bua.call.sdp.negotiated import agrees_on_events
from b2bua.call.sdp.remote_streams import remote_streams
from b2bua.call.sdp.rewrite import rewrite_description
from media.codecs import DecodedCodec
from media.stream_description import LocalStream, RemoteStream

HERE = (LocalStream("198.51.100.1", 20000), LocalStream("198.51.100.1", 20004))
OFFER = (
    b"v=0\r\no=alice 53655765 2353687637 IN IP4 192.0.2.10\r\ns=A call\r\n"
    b"c=IN IP4 192.0.2.10\r\nb=AS:128\r\nt=0 0\r\na=note:caf\xe9 and \xe2\x98\x8e\r\n"
    b"a=charset:ISO-8859-1\r\na=x-unknown:what ever  it is\r\n"
    b"m=audio 4000 RTP/AVP 9 8 101\r\nb=TIAS:64000\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
    b"m=video 4002 RTP/AVPF 96\r\nc=IN IP4 192.0.2.11\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\n"
)


def lines(body: bytes) -> list[bytes]:
    return body.removesuffix(b"\r\n").split(b"\r\n")


def with_media(media: str, head: str = "c=IN IP4 192.0.2.10\r\n") -> bytes:
    return f"v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\n{head}t=0 0\r\n{media}".encode()


def test_only_origin_addresses_and_ports_are_changed():
    after = lines(rewrite_description(sdp.parse_description(OFFER), HERE, 7, 3))
    changed = {old: new for old, new in zip(lines(OFFER), after, strict=True) if old != new}
    assert changed == {
        b"o=alice 53655765 2353687637 IN IP4 192.0.2.10": b"o=- 7 3 IN IP4 198.51.100.1",
        b"s=A call": b"s=-",
        b"c=IN IP4 192.0.2.10": b"c=IN IP4 198.51.100.1",
        b"m=audio 4000 RTP/AVP 9 8 101": b"m=audio 20000 RTP/AVP 9 8 101",
        b"m=video 4002 RTP/AVPF 96": b"m=video 20004 RTP/AVPF 96",
        b"c=IN IP4 192.0.2.11": b"c=IN IP4 198.51.100.1",
    }


def test_what_a_peer_says_of_itself_does_not_cross():
    about = (
        "i=at pbx-3\r\nu=http://pbx-3.example/\r\ne=ops@pbx-3.example\r\np=+1 555 0100\r\na=tool:pbx-3 "
        "1.0\r\n"
    )
    media = "m=audio 4000 RTP/AVP 0\r\ni=pbx-3\r\na=ssrc:1 cname:1@pbx-3.example\r\na=ssrc:1 msid:a b\r\n"
    after = rewrite_description(
        sdp.parse_description(with_media(media, about + "c=IN IP4 192.0.2.10\r\n")), HERE, 7, 1
    )
    assert b"pbx-3" not in after
    assert b"0100" not in after
    assert b"a=ssrc:1 msid:a b\r\n" in after


def test_an_ipv6_address_of_ours_is_written_as_one_and_theirs_is_read():
    body = OFFER.replace(b"IN IP4 192.0.2.10", b"IN IP6 2001:db8::10")
    described = sdp.parse_description(body)
    assert remote_streams(described, latch=False)[0].address == "2001:db8::10"
    after = rewrite_description(described, (LocalStream("2001:db8::1", 20000),), 7, 1)
    assert b"o=- 7 1 IN IP6 2001:db8::1\r\n" in after
    assert b"c=IN IP6 2001:db8::1\r\n" in after
    assert b"192.0.2" not in after


def test_what_the_relay_cannot_carry_is_refused_in_place():
    body = with_media(
        "m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-256 AB\r\n"
        "m=message 2855 TCP/MSRP *\r\nm=audio 4002/2 RTP/AVP 0\r\nm=audio 4010 RTP/AVP 8\r\nm=text 0 "
        "RTP/AVP 98\r\n"
    )
    described = sdp.parse_description(body)
    local = tuple(LocalStream("198.51.100.1", 20000 + 2 * number) for number in range(5))
    media = [line for line in lines(rewrite_description(described, local, 7, 1)) if line.startswith(b"m=")]
    assert media == [
        b"m=audio 0 UDP/TLS/RTP/SAVPF 0",
        b"m=message 0 TCP/MSRP *",
        b"m=audio 0/2 RTP/AVP 0",
        b"m=audio 20006 RTP/AVP 8",
        b"m=text 0 RTP/AVP 98",
    ]
    assert [stream.port for stream in remote_streams(described, latch=False)] == [0, 0, 0, 4010, 0]


@pytest.mark.parametrize(
    "line", ["m=image 4000 udptl t38", "m=image 4000 UDPTL t38", "m=application 4000 UDP/BFCP *"]
)
def test_fax_and_floor_control_are_relayed_without_rtcp(line: str):
    described = sdp.parse_description(with_media(f"{line}\r\na=T38FaxVersion:0\r\n"))
    [stream] = remote_streams(described, latch=False)
    assert (stream.port, stream.rtcp_port, stream.rtp) == (4000, 0, False)
    assert (stream.event_types, stream.mu_types, stream.other_types) == ((), (), ())
    rewritten = lines(rewrite_description(described, HERE[:1], 7, 1))
    assert line.replace("4000", str(HERE[0].port)).encode() in rewritten
    assert b"a=T38FaxVersion:0" in rewritten


def test_an_m_line_without_a_stream_of_ours_is_refused():
    after = lines(rewrite_description(sdp.parse_description(OFFER), HERE[:1], 7, 1))
    assert b"m=video 0 RTP/AVPF 96" in after


@pytest.mark.parametrize(
    "line",
    [
        "a=candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host",
        "a=ice-ufrag:8hhY",
        "a=ice-pwd:asd88fgpdd777uzjYhagZg",
        "a=ice-options:trickle",
        "a=end-of-candidates",
        "a=rtcp-mux",
        "a=rtcp-mux-only",
        "a=rtcp:53020 IN IP4 192.0.2.66",
        "a=source-filter: incl IN IP4 * 192.0.2.66",
        "a=altc:1 IP6 2001:db8::66 4000",
        "a=fingerprint:sha-1 AB",
        "a=setup:actpass",
        "a=group:BUNDLE 0 1",
    ],
)
@pytest.mark.parametrize("level", ["session", "media"])
def test_what_names_other_addresses_or_promises_what_the_relay_does_not_do_is_withdrawn(
    line: str, level: str
):
    media = "m=audio 4000 RTP/AVP 0\r\n"
    body = with_media(f"{media}{line}\r\n") if level == "media" else with_media(f"{line}\r\n{media}")
    after = rewrite_description(sdp.parse_description(body), HERE, 7, 1)
    assert line.encode() not in after
    assert len(lines(after)) == len(lines(body)) - 1


@pytest.mark.parametrize(
    "line",
    [
        "a=rtcp-fb:* nack",
        "a=rtcp-rsize",
        "a=candidates-like:1",
        "a=group:LS 0 1",
        "a=crypto:1 X inline:YQ",
        "a=mid:0",
    ],
)
def test_what_only_looks_like_it_crosses(line: str):
    assert line.encode() in lines(
        rewrite_description(
            sdp.parse_description(with_media(f"m=audio 4000 RTP/AVP 0\r\n{line}\r\n")), HERE, 7, 1
        )
    )


@pytest.mark.parametrize(("family", "address"), [("IP4", "0.0.0.0"), ("IP6", "::")])
def test_the_old_form_of_hold_stays_a_hold(family: str, address: str):
    described = sdp.parse_description(
        with_media("m=audio 4000 RTP/AVP 0\r\n", head=f"c=IN {family} {address}\r\n")
    )
    assert b"c=IN IP4 0.0.0.0" in lines(rewrite_description(described, HERE, 7, 1))
    assert b"c=IN IP6 ::" in lines(rewrite_description(described, [LocalStream("2001:db8::1", 20000)], 7, 1))
    stream = remote_streams(described, latch=False)[0]
    assert (stream.port, stream.rtcp_port) == (0, 0)


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("", ("192.0.2.10", 4001)),
        ("a=rtcp:5555\r\n", ("192.0.2.10", 5555)),
        ("a=rtcp:5555 IN IP4 192.0.2.66\r\n", ("192.0.2.66", 5555)),
        ("a=rtcp:5555 IN IP6 2001:db8::66\r\n", ("2001:db8::66", 5555)),
        ("a=rtcp:5555 IN IP4 phone.example\r\n", ("192.0.2.10", 5555)),
        ("a=rtcp:99999\r\n", ("192.0.2.10", 4001)),
        ("a=rtcp:\r\n", ("192.0.2.10", 4001)),
    ],
)
def test_where_rtcp_goes(attribute: str, expected: tuple[str, int]):
    described = sdp.parse_description(with_media(f"m=audio 4000 RTP/AVP 0\r\n{attribute}"))
    stream = remote_streams(described, latch=False)[0]
    assert (stream.rtcp_address, stream.rtcp_port) == expected


def test_the_last_port_has_no_rtcp_beside_it():
    described = sdp.parse_description(with_media("m=audio 65535 RTP/AVP 0\r\n"))
    assert remote_streams(described, latch=False)[0].rtcp_port == 0


def test_every_way_to_carry_keys_is_distinguished_from_audio():
    described = sdp.parse_description(
        with_media(
            "m=audio 4000 RTP/AVP 0 8 96 97 98 99 100 200\r\na=rtpmap:96 telephone-event/8000\r\n"
            "a=rtpmap:97 TELEPHONE-EVENT/48000\r\na=rtpmap:98 red/8000\r\na=rtpmap:99 opus/48000/2\r\n"
            "a=rtpmap:100 tone/8000\r\na=rtpmap:120 telephone-event/16000\r\na=rtpmap:x y\r\n"
        )
    )
    assert remote_streams(described, latch=True) == (
        RemoteStream(
            address="192.0.2.10",
            port=4000,
            rtcp_address="192.0.2.10",
            rtcp_port=4001,
            event_types=(96, 97, 120),
            mu_types=(0,),
            a_types=(8,),
            decoded_types=((99, DecodedCodec.OPUS),),
            opaque_types=(100,),
            red_types=(98,),
            latch=True,
        ),
    )


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "v=0"),
        (b"\xff\xfe", "v=0"),
        (b"v=1\r\no=- 1 1 IN IP4 192.0.2.1\r\n", "v=0"),
        (with_media(""), "0 m-lines"),
        (with_media("m=audio 4000 RTP/AVP 0\r\n" * 17), "17 m-lines"),
        (with_media("m=audio 4000 RTP/AVP 0\r\n" + "a=x\r\n" * 8000), "longer"),
        (with_media("m=audio 4000 RTP/AVP\r\n"), "m= is not"),
        (with_media("m=audio 65536 RTP/AVP 0\r\n"), "no valid port"),
        (with_media("m=audio -1 RTP/AVP 0\r\n"), "no valid port"),
        (with_media("m=audio 4000/x RTP/AVP 0\r\n"), "no valid port"),
        (with_media("m=audio \xb2 RTP/AVP 0\r\n"), "no valid port"),
        (with_media("m=audio 4000 RTP/AVP 0\r\n", head=""), "no c= line"),
        (with_media("m=audio 4000 RTP/AVP 0\r\n", head="c=IN IP4\r\n"), "c= is not"),
        (with_media("m=audio 4000 RTP/AVP 0\r\n", head="c=\r\n"), "c= is not"),
        (with_media("m=audio 4000 RTP/AVP 0\r\n", head="c=IN IP4 phone.example\r\n"), "c= is not"),
        (with_media("m=audio 4000 RTP/AVP 0\r\n", head="c=IN IP6 fe80::1%eth0\r\n"), "c= is not"),
        (with_media("m=audio 4000 RTP/AVP 0\r\n", head="c=TN RFC2543 12345\r\n"), "c= is not"),
        (with_media("m=audio 4000 RTP/AVP 0\r\no=- 1 1 IN IP4 192.0.2.66\r\n"), "one o= line"),
        (with_media("m=audio 4000 RTP/AVP 0\r\n", head="o=- 1 1 IN IP4 192.0.2.66\r\n"), "one o= line"),
        (with_media("m=audio 4000 RTP/AVP 0\r\nnonsense\r\n"), "type=value"),
        (with_media("m=audio 4000 RTP/AVP 0\r\na=x\rc=IN IP4 192.0.2.66\r\n"), "type=value"),
        (with_media("m=audio 4000 RTP/AVP 0\r\na=x\0y\r\n"), "type=value"),
    ],
)
def test_what_is_no_description_is_refused_with_the_rule_and_not_the_content(body: bytes, rule: str):
    with pytest.raises(sdp.SdpError, match=rule) as caught:
        sdp.parse_description(body)
    for part in ("192.0.2", "phone.example", "fe80", "12345"):
        assert part not in str(caught.value)


def test_a_number_of_absurd_length_is_no_payload_type():
    described = sdp.parse_description(
        with_media(f"m=audio 4000 RTP/AVP 0 {'9' * 9000}\r\na=rtpmap:{'8' * 9000} x\r\n")
    )
    assert remote_streams(described, latch=False)[0].mu_types == (0,)


def test_lines_may_end_with_a_bare_line_feed():
    assert sdp.parse_description(OFFER.replace(b"\r\n", b"\n")) == sdp.parse_description(OFFER)


@pytest.mark.parametrize(
    ("one", "other", "agreed"),
    [
        ("m=audio 4000 RTP/AVP 101\r\n", "m=audio 4000 RTP/AVP 101\r\n", True),
        ("m=audio 4000 RTP/AVP 101\r\n", "m=audio 0 RTP/AVP 101\r\n", False),
        ("m=audio 4000 RTP/SAVP 101\r\n", "m=audio 4000 RTP/SAVP 101\r\n", False),
        ("m=video 4000 RTP/AVP 101\r\n", "m=video 4000 RTP/AVP 101\r\n", False),
        ("m=audio 4000 RTP/AVP 101\r\n", "m=audio 0 RTP/AVP 0\r\nm=audio 4000 RTP/AVP 101\r\n", False),
    ],
)
def test_keys_are_agreed_on_where_one_m_line_of_both_has_them_in_clear(one: str, other: str, agreed: bool):
    events = "a=rtpmap:101 telephone-event/8000\r\n"
    ends = [
        sdp.parse_description(with_media(text.replace("101\r\n", f"101\r\n{events}")))
        for text in (one, other)
    ]
    assert agrees_on_events(*ends) is agreed
    assert agrees_on_events(*reversed(ends)) is agreed


AUDIO = (
    "m=audio 4000 RTP/AVP 111 9 8 13 96 97\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n"
    "a=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-16\r\na=rtpmap:97 telephone-event/48000\r\n"
    "a=rtcp-fb:111 nack\r\n"
    "a=rtcp-fb:* nack\r\na=ptime:20\r\n"
)


def test_of_audio_only_what_can_be_looked_into_is_agreed_on():
    [media] = without_opaque_audio(sdp.parse_description(with_media(AUDIO)), decoded=False).media
    assert (media.port, media.formats) == (4000, ("9", "8", "13", "96"))
    assert media.lines == (
        "a=rtpmap:8 PCMA/8000", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-16", "a=rtcp-fb:* nack",
        "a=ptime:20"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("repeats", "stays"),
    [
        ("8/96", True),
        ("8/8", True),
        ("96/96/96", True),
        ("111/96", False),
        ("8/121", False),
        ("8/", False),
        ("", False),
    ],
)
def test_redundancy_stays_where_it_repeats_nothing_that_is_gone(repeats: str, stays: bool):
    red = f"a=rtpmap:121 red/8000\r\na=fmtp:121 {repeats}\r\n"
    described = without_opaque_audio(
        sdp.parse_description(with_media(AUDIO.replace(" 96 97", " 96 121") + red)), decoded=False
    )
    [media] = described.media
    assert media.formats == (("9", "8", "13", "96", "121") if stays else ("9", "8", "13", "96"))
    assert ("a=rtpmap:121 red/8000" in media.lines) is stays
    assert remote_streams(described, latch=False)[0].red_types == ((121,) if stays else ())


def test_events_of_another_clock_stay_where_there_are_no_others():
    without = with_media(AUDIO.replace("a=rtpmap:96 telephone-event/8000\r\n", ""))
    [media] = without_opaque_audio(sdp.parse_description(without), decoded=False).media
    assert media.formats == ("9", "8", "13", "97")


def test_what_the_decoder_process_looks_into_is_agreed_on_with_the_events_of_its_clock():
    [media] = without_opaque_audio(sdp.parse_description(with_media(AUDIO)), decoded=True).media
    assert media.formats == ("111", "9", "8", "13", "96", "97")
    assert media.payload_types().decoded == ((111, DecodedCodec.OPUS),)


@pytest.mark.parametrize(
    ("parameters", "codec"),
    [
        ("", DecodedCodec.AMR),
        ("mode-set=7; octet-align=1", DecodedCodec.AMR_OCTETS),
        ("octet-align=1; crc=1", None),
        ("interleaving=3; octet-align=1", None),
        ("channels=2", None),
    ],
)
def test_amr_is_known_by_the_form_of_its_payload(parameters: str, codec: DecodedCodec | None):
    lines = f"m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 AMR/8000\r\na=fmtp:97 {parameters}\r\n"
    types = sdp.parse_description(with_media(lines)).media[0].payload_types()
    assert (types.decoded, types.opaque) == ((((97, codec),), ()) if codec else ((), (97,)))


@pytest.mark.parametrize("formats", ["111", "18", "0\r\na=rtpmap:0 PCMU/16000", "9\r\na=rtpmap:9 G722/16000"])
def test_an_m_line_without_audio_that_can_be_looked_into_is_refused(formats: str):
    described = sdp.parse_description(
        with_media(f"m=audio 4000 RTP/AVP {formats}\r\nm=video 5000 RTP/AVP 99\r\n")
    )
    assert [media.port for media in without_opaque_audio(described, decoded=False).media] == [0, 5000]


def test_encrypted_audio_and_what_is_no_audio_are_left_alone():
    described = sdp.parse_description(
        with_media("m=audio 4000 RTP/SAVP 111\r\na=rtpmap:111 opus/48000/2\r\nm=video 5000 RTP/AVP 99\r\n")
    )
    assert without_opaque_audio(described, decoded=False) is described


@pytest.mark.parametrize(
    ("lines", "kinds"),
    [
        ("m=audio 4000 RTP/AVP 0 8\r\na=rtpmap:8 L16/8000\r\n", {"mu_types": (0,), "opaque_types": (8,)}),
        ("m=audio 4000 RTP/AVP 9 96\r\na=rtpmap:96 g722/8000/1\r\n", {"g722_types": (9, 96)}),
        ("m=audio 4000 RTP/SAVP 0 9\r\n", {"opaque_types": (0, 9)}),
        (
            "m=video 4000 RTP/AVP 0 31 100\r\na=rtpmap:100 red/8000\r\n",
            {"other_types": (0, 31), "opaque_types": (100,)},
        ),
        ("m=audio 4000 RTP/SAVP 98\r\na=rtpmap:98 red/8000\r\n", {"opaque_types": (98,)}),
        ("m=text 4000 RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\n", {"opaque_types": (98,)}),
    ],
)
def test_what_is_neither_g711_nor_g722_nor_video_is_opaque(lines: str, kinds: dict[str, tuple[int, ...]]):
    [stream] = remote_streams(sdp.parse_description(with_media(lines)), latch=False)
    names = ("mu_types", "a_types", "g722_types", "opaque_types", "other_types")
    assert {name: getattr(stream, name) for name in names} == dict.fromkeys(names, ()) | kinds


def test_rtcp_on_the_rtp_port_is_said_to_whom_said_it_and_never_crosses():
    described = sdp.parse_description(
        with_media("m=audio 4000 RTP/AVP 0\r\na=rtcp-mux\r\nm=image 4002 UDPTL t38\r\na=rtcp-mux\r\n")
    )
    first, second = remote_streams(described, latch=False)
    assert (first.rtcp_address, first.rtcp_port) == (first.address, 4000)
    assert second.rtcp_port == 0  # no RTP, no RTCP
    assert [media.muxed for media in described.media] == [True, False]
    assert b"a=rtcp-mux" not in lines(rewrite_description(described, HERE, 7, 1))
    described_again = rewrite_description(
        described, HERE, 7, 1, muxed=[media.muxed for media in described.media]
    )
    assert lines(described_again).count(b"a=rtcp-mux") == 1
    assert sdp.parse_description(described_again).media[0].muxed


def test_the_lines_of_an_encrypted_m_line_are_not_remembered_beyond_its_call():
    key = base64.b64encode(bytes(30)).decode()
    before = sdp_lines.split_known_media.cache_info(), sdp_lines.parse_known_lines.cache_info()
    body = with_media(f"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n")
    assert sdp.parse_description(body).media[0].crypto is not None
    assert (sdp_lines.split_known_media.cache_info(), sdp_lines.parse_known_lines.cache_info()) == before


def test_what_a_phone_says_in_every_call_is_read_once():
    bodies = [with_media(f"m=audio {port} RTP/AVP 0\r\na=said-in-every-call:x\r\n") for port in (4000, 4002)]
    one, other = (sdp.parse_description(body).media[0] for body in bodies)
    assert one.port != other.port
    assert one.facts is other.facts


# --- descriptions that are not as RFC 8866 would have them, and mean only one thing ---------------

PLAIN = (
    b"v=0\r\no=- 7 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP "
    b"0\r\n"
)
ORIGIN = "o=- 1 1 IN IP4 192.0.2.10\r\n"
HERS = "c=IN IP4 192.0.2.10\r\n"
ONE = "m=audio 4000 RTP/AVP 0\r\n"


@pytest.mark.parametrize(
    "body",
    [
        f"v=0\r\n{ORIGIN}{HERS}{ONE}",
        f"v=0\r\n{ORIGIN}s=-\r\n{HERS}{ONE}",
        f"v=0\r\n{ORIGIN}{HERS}t=0 0\r\n{ONE}",
        f"v=0\r\n{ORIGIN}s=\r\nt=0 0\r\n{HERS}{ONE}",
        f"v=0\r\ns=-\r\nt=0 0\r\n{HERS}{ORIGIN}{ONE}",
        f"v=0\r\n{ORIGIN}s=-\r\n{HERS}c=IN IP4 192.0.2.11\r\nt=0 0\r\n{ONE}",
        f"v=0\r\n{ORIGIN}s=-\r\n{HERS}t=0 0\r\nk=clear:secret\r\n{ONE}k=prompt\r\n",
        f"v=0\n{ORIGIN}s=-\n{HERS}t=0 0\n{ONE}".replace("\r", ""),
        f"v=0 \r\n{ORIGIN}s=-\r\n{HERS}t=0 0\r\n{ONE}\r\n  \r\n\t\r\n",
        f"\r\nv=0\r\n{ORIGIN}s=-\r\n{HERS}t=0 0\r\n\r\n{ONE}\0",
        f"v=0\r\n{ORIGIN}s=-\r\n{HERS}t=0 0\r\n{ONE}".removesuffix("\r\n"),
    ],
    ids=[
        "no s= and t=", "no t=", "no s=", "t= before c=", "o= at the end", "two c=", "k=", "line feeds alone",
        "lines of blanks", "a NUL behind it", "no end of the last line",
    ],
)  # fmt: skip
def test_what_has_one_meaning_is_written_as_it_should_be(body: str):
    assert rewrite_description(sdp.parse_description(body.encode()), HERE, 7, 1) == PLAIN


def test_lines_of_an_m_line_are_put_in_order_and_it_has_one_address():
    media = f"{ONE}a=ptime:20\r\nb=AS:64\r\nc=IN IP4 192.0.2.11\r\na=x\r\nc=IN IP4 192.0.2.12\r\n"
    described = sdp.parse_description(with_media(media))
    assert described.find_address(described.media[0]) == "192.0.2.11"
    assert lines(rewrite_description(described, HERE, 7, 1))[5:] == [
        b"m=audio 20000 RTP/AVP 0",
        b"c=IN IP4 198.51.100.1",
        b"b=AS:64",
        b"a=ptime:20",
        b"a=x",
    ]


def test_times_and_their_repetitions_stay_together():
    head = f"{HERS}a=x\r\nt=1 2\r\nr=7d 1h 0\r\nt=3 4\r\nr=8d 1h 0\r\n"
    described_again = lines(rewrite_description(sdp.parse_description(with_media(ONE, head)), HERE, 7, 1))
    assert described_again[4:10] == [b"t=1 2", b"r=7d 1h 0", b"t=3 4", b"r=8d 1h 0", b"t=0 0", b"a=x"]


@pytest.mark.parametrize("garbage", ["garbage\r\n", "=\r\n", "m=\r\n", "\r\0\r\n", "a:b\r\n"])
def test_garbage_is_refused_wherever_it_stands(garbage: str):
    for body in (with_media(ONE + garbage), with_media(garbage + ONE)):
        with pytest.raises(sdp.SdpError):
            sdp.parse_description(body)


@pytest.mark.parametrize(
    ("media", "head", "held"),
    [
        (ONE, HERS, False),
        (f"{ONE}a=sendonly\r\n", HERS, True),
        (f"{ONE}a=inactive \r\n", HERS, True),
        (f"{ONE}a=recvonly\r\n", HERS, False),
        (ONE, f"{HERS}a=sendonly\r\n", True),
        (f"{ONE}a=sendrecv\r\n", f"{HERS}a=sendonly\r\n", False),
        (f"{ONE}a=sendrecv\r\nm=video 0 RTP/AVP 96\r\na=inactive\r\n", HERS, False),
        (f"{ONE}m=video 4002 RTP/AVP 96\r\na=sendonly\r\n", HERS, False),
        ("m=audio 0 RTP/AVP 0\r\nm=image 4002 udptl t38\r\na=sendonly\r\n", HERS, True),
        (ONE, "c=IN IP4 0.0.0.0\r\n", True),
        (f"{ONE}a=sendrecv\r\n", "c=IN IP4 0.0.0.0\r\n", True),
        (f"{ONE}{HERS}", "c=IN IP4 0.0.0.0\r\n", False),
        (f"{ONE}c=IN IP6 ::\r\n", HERS, True),
    ],
)
def test_a_hold_is_what_the_audio_in_use_says(media: str, head: str, held: bool):
    assert is_hold(sdp.parse_description(with_media(media, head))) is held
