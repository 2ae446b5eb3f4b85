"""Targets that read addresses: name-addrs and URIs, and the Refer-To that a call is made from."""

from __future__ import annotations

from urllib.parse import unquote

import msgspec

from b2bua.call.leg import Party
from b2bua.call.leg_command import InviteLeg
from b2bua.call.routing.numbers import Form, NumberPlan
from b2bua.call.routing.router import Place
from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Hop
from b2bua.sip.leg.invitation import new_invite
from b2bua.sip.leg.referral import parse_refer_to
from b2bua.sip.leg.uas import party_of
from b2bua.sip.message import compose
from b2bua.sip.message.message import MalformedError, Request, parse_message
from b2bua.sip.message.name_addr import parse_name_addr, parse_parameters, split_quoted
from b2bua.sip.message.octets import decode_octets
from b2bua.sip.message.uri import Uri
from b2bua.sip.trunk.peers import Peer
from media.events import Side

_HOP = Hop("192.0.2.1", 5060)
_ASKING = Trunk("asking", "192.0.2.9", 5060, user_parameters=("*",), user_phone=True)
_PLACE = Place(Side.CALLER, NumberPlan(Form.NATIONAL, "49"))
_HEAD = (
    b"REFER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKf\r\nFrom: <sip:u@h>;tag=a\r\nTo: "
    b"<sip:u@h>;tag=b\r\n"
    b"Call-ID: f\r\nCSeq: 1 REFER\r\nRefer-To: "
)


def address(data: bytes) -> None:
    """A value of From, Contact or Route: what is read of it can be shown, and written to a trunk as
    the same user."""
    value = decode_octets(data)
    display, uri, rest = parse_name_addr(value)
    display.encode()
    assert display.isprintable()
    split_quoted(value, ",")
    parse_parameters(rest)
    for text in (uri, value):
        try:
            who = _PLACE.read(party_of(Uri.parse(text), display))
        except ValueError:
            continue
        written = compose.uri_of(who, "192.0.2.9", None, _ASKING)
        again = party_of(Uri.parse(written), "")
        # What cannot be printed stays escaped; what looks like a number has parameters from now on.
        assert who.user in (again.user, unquote(again.user)) or ";" in who.user
        compose.name_addr_of(who, written).encode()


def transfer(data: bytes) -> None:
    """A Refer-To, and the INVITE that it leads to: one message, whatever was in it."""
    try:
        received = parse_message(_HEAD + data.replace(b"\r\n", b" ") + b"\r\n\r\n", _HOP)
        assert isinstance(received, Request)
        asked = parse_refer_to(received)
    except (MalformedError, ValueError):
        return
    command = InviteLeg(
        "asking", Party("1"), asked.target, b"", uri=asked.uri.text if asked.says_more else ""
    )
    outgoing = new_invite(command, Peer(_ASKING), _HOP, "192.0.2.9", "t")
    sent = bytes(msgspec.structs.replace(outgoing, sent_by="192.0.2.9"))
    assert isinstance(parse_message(sent, _HOP), Request)


_ADDRESSES = [
    b'"Ann \\" <x>" <sip:+4930;npdi;rn=+49@h:5070;user=phone>;tag=a',
    b'<sip:a@[2001:db8::1]?X=y>;+sip.instance="<urn:uuid:0>"',
    b"tel:55512340;phone-context=+4930", b'"M\xfcller" <SIP:#31#%FC@a_b;;x=a=b>', b"sip:alice;day=tuesday@h",
]  # fmt: skip
ADDRESSES = {
    "address": (address, _ADDRESSES),
    "transfer": (
        transfer,
        [
            *_ADDRESSES,
            b"<sip:h:5061;transport=tls;x-m=8:orgid:0?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>",
            b"<sip::+40;npdiAr09@h:5070;]hr?oa>\xa6",
            b"<sip:;npdi@h;user=phone>",
            b"<sip:a?b@h;x?Subject=c>",
        ],
    ),
}
