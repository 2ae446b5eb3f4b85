"""Messages as peers write them: what is valid is read, whatever it looks like; what it means is
what the RFC says."""

from __future__ import annotations

import pytest

from b2bua.call.leg import Party
from b2bua.call.leg_command import InviteLeg
from b2bua.call.routing.numbers import Form, NumberPlan
from b2bua.call.routing.router import Place
from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Hop
from b2bua.sip.leg.dialog import Dialog, contact, record_route
from b2bua.sip.leg.invitation import new_invite
from b2bua.sip.leg.referral import parse_refer_to
from b2bua.sip.leg.uas import calling_party, party_of
from b2bua.sip.message.bodies import unwrap_body
from b2bua.sip.message.compose import compose_response, replace_user, uri_of
from b2bua.sip.message.header_policy import MessageClass, crossing_lines, extract_headers
from b2bua.sip.message.message import MalformedError, Request, Response, parse_message
from b2bua.sip.message.name_addr import parse_name_addr, parse_parameters, split_quoted, tag_of
from b2bua.sip.message.octets import decode_octets, encode_octets, readable
from b2bua.sip.message.request_checks import check_request
from b2bua.sip.message.uri import Uri
from b2bua.sip.trunk.peers import Peer
from b2bua.sip.trunk.registrar import _seconds as granted
from media.events import Side

HOP = Hop("192.0.2.1", 5060)


def request(start: str = "INVITE sip:u@h SIP/2.0", **headers: str) -> bytes:
    method = start.split(" ", maxsplit=1)[0]
    given = {
        "Via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKb", "From": "<sip:u@h>;tag=a", "To": "<sip:u@h>",
        "Call-ID": "c",
        "CSeq": f"1 {method}", "Contact": "<sip:c@h>",
    } | {name.replace("_", "-"): value for name, value in headers.items()}  # fmt: skip
    return "\r\n".join([start, *(f"{name}: {value}" for name, value in given.items()), "", ""]).encode(
        "latin-1"
    )


def taken(data: bytes) -> Request:
    message = parse_message(data, HOP)
    assert isinstance(message, Request)
    return message


# --- addresses: quoted strings and brackets -------------------------------------------------------

URN = "<urn:uuid:00000000-0000-4000-8000-000000000001>"


@pytest.mark.parametrize(
    ("value", "display", "uri"),
    [
        (f'<sip:a@h>;+sip.instance="{URN}"', "", "sip:a@h"),
        (f'sip:a@h;+sip.instance="{URN}"', "", "sip:a@h"),
        (f'"Ann" <sip:a@h;ob>;reg-id=1;+sip.instance="{URN}"', "Ann", "sip:a@h;ob"),
        ('<sip:a@h>;x="a>b"', "", "sip:a@h"),
        ('<sip:a@h>;x="<sip:evil@h>;tag=1"', "", "sip:a@h"),
        ('"<sip:evil@h>" <sip:a@h>', "<sip:evil@h>", "sip:a@h"),
        ('"a \\" <sip:evil@h>" <sip:a@h>', 'a " <sip:evil@h>', "sip:a@h"),
        ('"\\\\" <sip:a@h>', "\\", "sip:a@h"),
        ("Ann <sip:a@h>", "Ann", "sip:a@h"),
        ("Dept: Ann B. <sip:a@h>", "Dept: Ann B.", "sip:a@h"),
        ("<sip:a@h>", "", "sip:a@h"),
        ("caller<sip:a@h>", "caller", "sip:a@h"),
        ("  sip:a@h ; x=1", "", "sip:a@h"),
        ('"a;b,c" <sip:a@h>;q=1', "a;b,c", "sip:a@h"),
        ('"" <sip:a@h>', "", "sip:a@h"),
        ('urn:service:sos;x="<sip:evil@h>"', "", "urn:service:sos"),
        ("<tel:+49;phone-context=x>", "", "tel:+49;phone-context=x"),
        ('"M\udcfcller" <sip:a@h>', "M\xfcller", "sip:a@h"),
        ('"bell\\\x07" <sip:a@h>', "bell", "sip:a@h"),
    ],
)
def test_the_uri_of_an_address_is_what_its_own_brackets_hold(value: str, display: str, uri: str) -> None:
    assert parse_name_addr(value)[:2] == (display, uri)


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ('<sip:a@h>;x="<;tag=evil>";tag=good', "good"),
        ('"<a>;tag=evil" <sip:a@h>;tag=good', "good"),
        ('sip:a@h;x=";tag=evil";tag=good', "good"),
        ("<sip:a@h;tag=evil>;tag=good", "good"),
        ("<sip:a@h;tag=evil>", ""),
        ("<sip:a@h> ; tag = good", "good"),
        ("<sip:a@h>;TAG=good", "good"),
    ],
)
def test_a_tag_is_a_parameter_of_the_header(value: str, tag: str) -> None:
    assert tag_of(value) == tag


def test_a_list_is_split_at_its_own_commas_only() -> None:
    value = f'"a,b" <sip:a@h,x>;+sip.instance="{URN},", <sip:b@h>'
    assert split_quoted(value, ",") == [f'"a,b" <sip:a@h,x>;+sip.instance="{URN},"', "<sip:b@h>"]
    assert parse_parameters(f';a="x;y";+sip.instance="{URN}";b') == {
        "a": '"x;y"',
        "+sip.instance": f'"{URN}"',
        "b": "",
    }


def test_what_is_sent_in_a_dialog_goes_to_the_contact_and_not_to_its_instance() -> None:
    message = taken(request(Contact=f'<sip:49301@127.0.21.2:21002>;+sip.instance="{URN}"'))
    assert contact(message) == "sip:49301@127.0.21.2:21002"
    assert bytes(Dialog.of_request(message, "t").request("BYE")).startswith(
        b"BYE sip:49301@127.0.21.2:21002 SIP/2.0\r\n"
    )


@pytest.mark.parametrize(
    "value", [f"<{URN}>", "a", '"<sip:a@h>"', "<sip:a@h", "<sip:a b@h>", "*", "<mailto:a@h>"]
)
def test_a_contact_that_nothing_can_be_sent_to_is_none(value: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        contact(taken(request(Contact=value)))


def test_routes_are_split_and_kept_whole() -> None:
    message = taken(request(Record_Route='<sip:p1;lr>, "P, 2" <sip:p2;lr>;x="<a,b>"'))
    assert record_route(message) == ["<sip:p1;lr>", '"P, 2" <sip:p2;lr>;x="<a,b>"']


@pytest.mark.parametrize("lr", ["lr", "LR", "lr=on", "transport=udp;lr", "lr;", 'x="a";lr'])
def test_a_loose_route_is_known_however_it_is_written(lr: str) -> None:
    message = taken(request(Record_Route=f'<sip:p1;{lr}>;y="<z>"'))
    assert Dialog.of_request(message, "t").request("BYE").uri == "sip:c@h"


@pytest.mark.parametrize("name", ["P-Asserted-Identity", "Diversion", "History-Info", "Referred-By"])
def test_addresses_in_other_headers_are_read_alike(name: str) -> None:
    trunk = Trunk("a", "h", 5060, trusted=True)
    value = '"<sip:evil@x>" <SIP:+4930;npdi@h>;index=1;x="<sip:other@y>"'
    [line] = crossing_lines(
        MessageClass.INVITE,
        extract_headers(MessageClass.INVITE, taken(request(**{name: value})).headers, trunk),
        trunk,
        "ours.example",
    )
    assert "<sip:+4930@ours.example>" in line
    assert "other" not in line


# --- octets that are not UTF-8 --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["From", "To", "Contact", "Subject", "X-Any", "Call-ID", "Server", "Record-Route", "Organization"]
)
def test_an_octet_that_is_no_utf_8_costs_no_message_and_goes_back_as_it_came(name: str) -> None:
    value = {"Call-ID": "\xfc1@h"}.get(name, '"B\xfcro" <sip:u@h>;tag=a')
    message = taken(request(**{name: value}))
    answer = compose_response(message.head, HOP, 200, tag="t")
    if name in ("From", "To", "Call-ID"):
        assert f"\r\n{name}: {value}".encode("latin-1") in answer
    bytes(Dialog.of_request(message, "t").request("BYE"))


def test_a_name_in_latin_1_can_be_shown() -> None:
    who = calling_party(taken(request(From='"M\xfcller" <sip:+4930@h>;tag=a')))
    assert who == Party("+4930", "M\xfcller")
    assert (
        calling_party(taken(request(From='"M\xc3\xbcller \xfc" <sip:+4930@h>;tag=a'))).display
        == "M\xfcller \xfc"
    )


def test_a_phrase_in_latin_1_can_be_shown() -> None:
    data = request().replace(b"INVITE sip:u@h SIP/2.0", b"SIP/2.0 486 Besetzt, sp\xe4ter", 1)
    message = parse_message(data, HOP)
    assert isinstance(message, Response)
    assert message.phrase == "Besetzt, sp\xe4ter"


def test_private_headers_cross_with_the_octets_that_they_came_with() -> None:
    trunk = Trunk("a", "h", 5060, x_headers=("*",))
    [line] = crossing_lines(
        MessageClass.INVITE,
        extract_headers(MessageClass.INVITE, taken(request(X_Any="B\xfcro")).headers, trunk),
        trunk,
        "h",
    )
    assert encode_octets(line) == b"X-Any: B\xfcro"


def test_octets_are_what_they_were() -> None:
    every = bytes(range(256))
    assert encode_octets(decode_octets(every)) == every
    readable(decode_octets(every)).encode()


# --- URIs by what they mean -----------------------------------------------------------------------

NUMBER = "+493012345670"


@pytest.mark.parametrize(
    "uri",
    [
        f"SIP:{NUMBER}@127.0.21.2",
        f"sip:{NUMBER}@asterisk_1.example",
        f"sip:{NUMBER}@127.0.21.2;user=phone;",
        f"sip:{NUMBER}@127.0.21.2;x=a=b",
        f"sip:{NUMBER}@127.0.21.2;did=a==",
        f"sip:{NUMBER}@127.0.21.2;;transport=udp",
        f"sip:{NUMBER}@[2001:db8::1]",
        f"sip:{NUMBER}@[::ffff:192.0.2.1]:5060",
        f"Sip:{NUMBER}@h.",
        f'sip:{NUMBER}@h;x="<"'.replace("<", "a"),
        f"sip:{NUMBER};npdi;rn=+4930999@h",
        f"sip:{NUMBER};isub=1@h;user=phone",
        f"sip:{NUMBER};cpc=ordinary@h",
        f"sip:{NUMBER}:pw@h",
        f"sip:{NUMBER}@h?Subject=a",
        f"tel:{NUMBER}",
        f"TEL:{NUMBER};npdi",
        "sip:%2B493012345670@h",
        f"sips:{NUMBER}@h",
        f"sip:{NUMBER}@h;self=1",
        f"sip:{NUMBER}@1h",
        f'sip:{NUMBER}@h;isup-oli=00;phone-context="+49"',
    ],
)
def test_a_number_is_seen_in_whatever_uri(uri: str) -> None:
    assert calling_party(taken(request(From=f"<{uri}>;tag=1"))).user == NUMBER
    assert party_of(taken(request(f"INVITE {uri} SIP/2.0")).uri, "").user == NUMBER


@pytest.mark.parametrize(
    ("uri", "user", "own"),
    [
        ("sip:#31#+4930@h", "#31#+4930", ""),
        ("sip:%2331%23+4930@h", "#31#+4930", ""),
        ("sip:alice;day=tuesday@h", "alice;day=tuesday", ""),
        ("sip:alice;day=tuesday@h;user=phone", "alice", ";day=tuesday"),
        ("sip:+4930;npdi;rn=+4930999@h", "+4930", ";npdi;rn=+4930999"),
        ("sip:h", "", ""),
        ("sip:h;x-m=8:orgid:0", "", ""),
        ("sip:a%20b@h", "a b", ""),
        ("sip:sip%3Auser%40example.com@h;other=1", "sip:user@example.com", ""),
        ("sip:*21*5#@h", "*21*5#", ""),
        ("sip:a?b/c@h", "a?b/c", ""),
    ],
)
def test_the_user_of_a_uri(uri: str, user: str, own: str) -> None:
    read = Uri.parse(uri)
    assert (read.user, read.user_parameters) == (user, own)


@pytest.mark.parametrize(
    ("uri", "host", "port"),
    [
        ("sip:u@H.Example", "h.example", None),
        ("sip:u@h:5070", "h", 5070),
        ("sip:u@h:05070", "h", 5070),
        ("sip:[2001:DB8:0::1]:5061", "2001:db8::1", 5061),
        ("sip:u@[::FFFF:192.0.2.1]", "::ffff:c000:201", None),
        ("sip:u@[2001:db8::192.0.2.1];lr", "2001:db8::c000:201", None),
        ("sip:u@[::]", "::", None),
        ("sip:u@[2001:0db8:0000:0000:0000:0000:192.0.2.33]", "2001:db8::c000:221", None),
        ("sip:a_b", "a_b", None),
    ],
)
def test_the_host_of_a_uri(uri: str, host: str, port: int | None) -> None:
    read = Uri.parse(uri)
    assert (read.port, read.host in (host, "::ffff:192.0.2.1")) == (port, True)


@pytest.mark.parametrize(
    "uri",
    [
        "sip:",
        "sip:@h",
        "sip::secret@h",
        "sip::+40;npdi@h;x",
        "sip:;npdi@h;user=phone",
        "sip:u@",
        "sip:u@h:",
        "sip:u@h:99999",
        "sip:u@h:a",
        "sip:u@[::1",
        "sip:u@[::1]5060",
        "sip:u@[:::1]",
        "sip:u@[1.2.3.4]",
        "sip:u@::1",
        "sip:u@[fe80::1%eth0]",
        "sip:u@[1:2:3:4:5:6:7:8:9]",
        "sip:u@[1::2::3]",
        "sip:u@[12345::]",
        "sip: u@h",
        "sip:u @h",
        "sip:u@h ;x",
        "http:u@h",
        "u@h",
        "",
        "tel:",
        "tel:abc",
        "sip:u@h>",
        "sip:u@h@i",
        "sip:u@[::1.2.3]",
        "sip:u@[::1.2.3.256]",
        "sip:u@h/x",
    ],
)
def test_what_is_no_uri_of_ours_is_refused(uri: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Uri.parse(uri)


GERMAN = NumberPlan(Form.NATIONAL, "49")


@pytest.mark.parametrize(
    ("uri", "plan", "seen"),
    [
        ("sip:+493055512340;npdi;rn=+4930999@h", NumberPlan(Form.E164, "49"), "+493055512340"),
        ("tel:55512340;phone-context=+4930", NumberPlan(), "+493055512340"),
        ("sip:55512340;phone-context=+49-30@h;user=phone", GERMAN, "+493055512340"),
        ("tel:03055512340;phone-context=+49", GERMAN, "+493055512340"),
        ("tel:0612345678;phone-context=+39", NumberPlan(Form.NATIONAL, "39", ""), "+390612345678"),
        ("tel:112;phone-context=+49", GERMAN, "112"),
        ("tel:55512340;phone-context=pbx.example", NumberPlan(), "55512340"),
        ("tel:+493055512340;phone-context=+1", NumberPlan(), "+493055512340"),
        ("sip:+49-30-555.12340@h", GERMAN, "+493055512340"),
    ],
)
def test_routes_see_the_number_alone(uri: str, plan: NumberPlan, seen: str) -> None:
    assert Place(Side.CALLER, plan).read(party_of(Uri.parse(uri), "")).user == seen


@pytest.mark.parametrize(
    ("trunk", "uri"),
    [
        ({}, "sip:+4930@h"),
        ({"user_parameters": ("*",)}, "sip:+4930;npdi;rn=+4930999;cpc=ordinary@h"),
        ({"user_parameters": ("rn", "npdi")}, "sip:+4930;npdi;rn=+4930999@h"),
        ({"user_phone": True}, "sip:+4930@h;user=phone"),
        ({"user_phone": True, "user_parameters": ("cpc",)}, "sip:+4930;cpc=ordinary@h;user=phone"),
    ],
)
def test_a_trunk_is_sent_what_its_settings_name(trunk: dict[str, object], uri: str) -> None:
    who = Party("+4930", "", ";npdi;rn=+4930999;cpc=ordinary")
    assert uri_of(who, "h", None, Trunk("t", "h", 5060, **trunk)) == uri  # type: ignore[arg-type]


def test_what_is_no_number_is_not_marked_as_one_and_a_local_number_keeps_its_area() -> None:
    trunk = Trunk("t", "h", 5060, user_phone=True, user_parameters=("*",))
    assert uri_of(Party("anna", "", ";x=1"), "h", None, trunk) == "sip:anna@h"
    assert (
        uri_of(Party("112", "", ";phone-context=+49"), "h", 5070, Trunk("t", "h", 5060))
        == "sip:112;phone-context=+49@h:5070"
    )
    assert (
        uri_of(Party("7042", "", ";phone-context=pbx.example"), "h", None, Trunk("t", "h", 5060))
        == "sip:7042@h"
    )
    assert uri_of(Party("+49", "", ";a@evil;b\udcfc;c d"), "h", None, trunk) == "sip:+49@h;user=phone"
    assert uri_of(Party("#31#+4930"), "h", None, Trunk("t", "h", 5060)) == "sip:%2331%23+4930@h"


# --- odd, and valid -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code", "phrase"),
    [
        ("SIP/2.0 200 OK", 200, "OK"),
        ("SIP/2.0 200 ", 200, ""),
        ("SIP/2.0 200", 200, ""),
        ("sip/2.0 180 x", 180, "x"),
        ("SIP/2.0 486 SIP/2.0", 486, "SIP/2.0"),
        ("SIP/2.0 404 a b SIP/2.0", 404, "a b SIP/2.0"),
        ("SIP/2.0 404 SIP/3.0", 404, "SIP/3.0"),
        ("SIP/2.0 699 \xe2\x82\xac", 699, "\u20ac"),
        ('SIP/2.0 200 = 2**3 * 5**2 but "<>;\\', 200, '= 2**3 * 5**2 but "<>;\\'),
        ("SIP/2.0 503 %41\tb", 503, "%41\tb"),
    ],
)
def test_a_status_line_is_read_by_its_grammar(line: str, code: int, phrase: str) -> None:
    message = parse_message(request().replace(b"INVITE sip:u@h SIP/2.0", line.encode("latin-1"), 1), HOP)
    assert isinstance(message, Response)
    assert (message.code, message.phrase) == (code, phrase)


@pytest.mark.parametrize(
    "line",
    [
        "SIP/2.0 99 x",
        "SIP/2.0 700 x",
        "SIP/2.0 20 x",
        "SIP/2.0 2000 x",
        "SIP/2.0 abc x",
        "SIP/3.0 200 OK",
        "SIP/2.0",
        "SIP/2.0  200 OK",
    ],
)
def test_what_is_no_status_line_is_dropped(line: str) -> None:
    with pytest.raises(MalformedError):
        parse_message(request().replace(b"INVITE sip:u@h SIP/2.0", line.encode(), 1), HOP)


METHODS = ["!interesting-Method0123456789_*+`.%indeed'~", "invite", "X", "FOO.BAR", "M" * 50]


@pytest.mark.parametrize("method", METHODS)
def test_any_token_is_a_method(method: str) -> None:
    assert taken(request(f"{method} sip:u@h SIP/2.0")).method == method


@pytest.mark.parametrize("version", ["SIP/2.0", "sip/2.0", "Sip/2.0"])
def test_the_version_has_no_case(version: str) -> None:
    assert taken(request(f"INVITE sip:u@h {version}")).uri.user == "u"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("To", '"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:u@h>'),
        ("Max-Forwards", "0068"),
        ("Max-Forwards", "0" * 18 + "70"),
        ("CSeq", "0009\r\n INVITE"),
        ("CSeq", "2147483647 INVITE"),
        ("Content-Length", "0000000000"),
        ("Content-Length", "0"),
        ("Via", "SIP  / 2.0 / UDP\r\n  192.0.2.1 ; branch = z9hG4bKb"),
        ("Via", 'SIP/2.0/UDP 192.0.2.1;x="a,;b";branch=z9hG4bKb'),
        ("Via", "SIP/2.0/TLS-SCTP [2001:db8::9:1]:5060;branch=z9hG4bKb"),
        ("Via", "SIP/2.0/UDP a_b : 5060 ;branch=z"),
        ("Subject", ""),
        ("X-Long", "a" * 6000),
        ("Contact", "<sip:c@h>\r\n\t;\r\n x=1"),
        ("From", "sip:u@h;tag=a"),
        ("From", '<sip:u@h>;x;tag=a;y="z"'),
        ("Call-ID", 'a<b>(c)"d"/[e]{f}@g'),
        ("From", '"\xe2\x82\xac" <sip:u@h>;tag=a'),
        ("Accept", ""),
        ("From", "<sip:u@h>;\ttag\t=\ta"),
    ],
)
def test_a_header_is_read_however_it_is_written(name: str, value: str) -> None:
    message = taken(request(**{name: value}))
    answer = parse_message(compose_response(message.head, HOP, 200, tag="t"), HOP)
    assert isinstance(answer, Response)
    assert (answer.head.call_id, answer.from_tag, answer.cseq) == (message.head.call_id, "a", message.cseq)


@pytest.mark.parametrize("value", ["a\x07", '"\x07"', "\\\x07", '"a\\\\\x07"', "a\x7f", '"a" \\\x00'])
def test_a_control_character_that_is_not_escaped_within_quotes_is_none(value: str) -> None:
    with pytest.raises(MalformedError):
        parse_message(request(Subject=value), HOP)


COMPACT = {"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Content-Length": "l"}


def test_compact_forms_are_the_same_names() -> None:
    data = request(Content_Length="0").decode()
    for long, short in COMPACT.items():
        data = data.replace(f"\r\n{long}:", f"\r\n{short} :")
    assert contact(taken(data.encode())) == "sip:c@h"


@pytest.mark.parametrize(
    ("via", "wants"),
    [
        ("SIP/2.0/UDP h;rport;branch=b", ";rport=5060"),
        ("SIP/2.0/UDP h;\trport ;branch=b", ";rport=5060"),
        ("SIP/2.0/UDP h;rportal=1;branch=b", ""),
        ("SIP/2.0/UDP h;rport=;branch=b", ";rport=5060"),
        ("SIP/2.0/UDP h;received=9.9.9.9;branch=b", ""),
        ("SIP/2.0/UDP h;RPORT;branch=b", ";rport=5060"),
    ],
)
def test_the_answer_says_where_a_request_came_from(via: str, wants: str) -> None:
    answer = parse_message(compose_response(taken(request(Via=via)).head, HOP, 200), HOP)
    assert answer.head.vias[0].endswith(f";received=192.0.2.1{wants}")
    assert "9.9.9.9" not in answer.head.vias[0]


# --- white space, lists and parameters, wherever their grammar has them ---------------------------

DESCRIPTION = b"v=0\r\n"


def unwrapped(content_type: str, body: bytes, **headers: str) -> Request:
    message = parse_message(
        request(Content_Type=content_type, Content_Length=str(len(body)), **headers) + body, HOP
    )
    assert isinstance(message, Request)
    unwrap_body(message)
    return message


@pytest.mark.parametrize(
    "content_type",
    [
        "Application/SDP",
        "application / sdp",
        "application\t/\tsdp",
        'application/sdp ; charset = "utf-8"',
        "application/sdp\t;x=y",
        "application/sdp;",
        'application/sdp;x="a\\b"',
    ],
)
def test_a_session_description_is_known_however_its_type_is_written(content_type: str) -> None:
    message = unwrapped(content_type, DESCRIPTION)
    assert (message.body, message.unsupported) == (DESCRIPTION, ())


@pytest.mark.parametrize(
    "content_type", ["application/sd p", "application//sdp", "applicationsdp", ";application/sdp", '"']
)
def test_another_type_is_no_session_description(content_type: str) -> None:
    message = unwrapped(content_type, DESCRIPTION)
    assert (message.body, bool(message.unsupported)) == (b"", True)


@pytest.mark.parametrize(
    ("content_type", "boundary", "head"),
    [
        ('multipart/mixed ; boundary = "a:b c"', b"a:b c", b"Content-Type: application/sdp"),
        ('multipart/mixed;boundary="a\\bc"', b"abc", b"Content-Type: application/sdp"),
        ("multipart/mixed;boundary=abc", b"abc", b"Content-Type: application/sdp;\r\n\tcharset=utf-8"),
        ("multipart/mixed;boundary=abc", b"abc", b"Content-Type : application / sdp"),
        ("multipart/mixed;boundary=abc", b"abc",
        b"Content-Description: B\xfcro\r\nContent-Type: application/sdp"),
        (
            "multipart/mixed;boundary=abc",
            b"abc",
            b"Content-Type: application/sdp\r\nContent-Disposition: session ; handling = required",
        ),
    ],
)  # fmt: skip
def test_a_part_is_read_however_it_is_written(content_type: str, boundary: bytes, head: bytes) -> None:
    body = b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + DESCRIPTION + b"\r\n--" + boundary + b"--\r\n"
    message = unwrapped(content_type, body)
    assert (message.body, message.unsupported) == (DESCRIPTION, ())


@pytest.mark.parametrize(
    "accept", ["application / sdp", "application/sdp ;q=0.5", "text/html, application\t/ *"]
)
def test_white_space_in_accept_means_nothing(accept: str) -> None:
    assert check_request(taken(request(Accept=accept))) is None


@pytest.mark.parametrize("expires", ["60", '"60"', " 60 "])
def test_expires_of_a_contact_is_a_number_quoted_or_not(expires: str) -> None:
    assert granted(f"<sip:a@h>;expires={expires}", "", 3600) == 60


@pytest.mark.parametrize(
    ("uri", "user"),
    [
        ("sip:a%0d%0aX:y@h", "a%0d%0aX"),
        ("sip:%00@h", "%00"),
        ("sip:+49%0030@h", "+49%0030"),
        ("sip:%61lice@h", "alice"),
    ],
)
def test_what_could_end_a_line_stays_escaped(uri: str, user: str) -> None:
    assert Uri.parse(uri).user == user


@pytest.mark.parametrize("name", ["Replaces", "replaces", "%52eplaces", "repl%61ces"])
def test_the_name_of_an_embedded_header_may_be_escaped(name: str) -> None:
    asked = parse_refer_to(
        taken(request("REFER sip:u@h SIP/2.0", Refer_To=f"<sip:a@h?{name}=c%3Bto-tag%3D1%3Bfrom-tag%3D2>"))
    )
    assert (asked.replaces, asked.lines) == ("c;to-tag=1;from-tag=2", ())


@pytest.mark.parametrize(
    ("refer_to", "called"),
    [
        ("<sip:H:5070;method=INVITE;x=1?Subject=c>", "sip:h:5070;x=1"),
        ("<sip:[2001:db8::1];x=1>", "sip:[2001:db8::1];x=1"),
        ("<sip:a?b@h;x=1?Subject=c>", "sip:a?b@192.0.2.9;x=1"),
        ("<sip:a?b@h;x=1>", "sip:a?b@192.0.2.9;x=1"),
    ],
)
def test_a_transfer_calls_the_uri_that_it_names(refer_to: str, called: str) -> None:
    asked = parse_refer_to(taken(request("REFER sip:u@h SIP/2.0", Refer_To=refer_to)))
    trunk = Trunk("t", "192.0.2.9", 5060)
    invite = new_invite(
        InviteLeg("t", Party("1"), asked.target, b"", uri=asked.uri.text), Peer(trunk), HOP, "h", "tag"
    )
    assert invite.uri == called


@pytest.mark.parametrize("uri", ["sip:h:5070;x=1", "sip:a@h:5070;x=1", "sip:a%40b@h:5070;x=1"])
def test_a_redirection_replaces_the_user_whether_or_not_there_was_one(uri: str) -> None:
    assert replace_user(uri, "ann") == "sip:ann@h:5070;x=1"


def test_a_question_mark_in_a_user_hides_no_privacy() -> None:
    history = (("History-Info", "<sip:a?b@10.0.0.5?Privacy=history>;index=1"),)
    [line] = crossing_lines(MessageClass.INVITE, history, Trunk("t", "h", 5060), "ours.example")
    assert line == "History-Info: <sip:anonymous@anonymous.invalid>;index=1"
