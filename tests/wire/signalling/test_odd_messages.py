"""What carriers and phones really write: quoted URNs, Latin-1, numbers with parameters, odd URIs.
Calls are made of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from b2bua.call.leg import LegFailed
from tests.stack import Stack, running, until
from tests.wire.handmade import offer
from tests.wire.paying import without_complaint
from tests.wire.signalling.stage import ANSWER, OFFER, Stage, staged
from tests.wire.signalling.streams import line
from tests.wire.sip_bridge import HOST
from tests.wire.sip_peer import Call, SipPeer
from tests.wire.stream_peer import StreamPeer

URN = "<urn:uuid:00000000-0000-4000-8000-000000000001>"
LATIN = "\udcfc"  # the octet 0xFC
NAME = f'"M{LATIN}ller" '


async def test_a_phone_whose_contact_has_an_instance_is_sent_its_requests(  # linphonec, RFC 5626
) -> None:
    async with staged() as stage:
        contact = stage.carrier.contact("me")
        stage.carrier.send(
            stage.carrier.request("INVITE", body=OFFER, Contact=f'{contact};+sip.instance="{URN}"')
        )
        invite = await stage.pbx.hear("INVITE")
        far = f'{stage.pbx.contact("far")};reg-id=1;+sip.instance="{URN}"'
        stage.pbx.reply(invite, 200, body=ANSWER, Contact=far)
        near = Call.placed(await stage.carrier.hear("200"))
        stage.carrier.send(stage.carrier.request("ACK", call=near))
        assert (await stage.pbx.hear("ACK")).uri == f"sip:far@{HOST}:{stage.pbx.port}"
        stage.pbx.send(stage.pbx.request("BYE", call=Call.taken(invite)))
        assert (await stage.carrier.hear("BYE")).uri == f"sip:me@{HOST}:{stage.carrier.port}"


@pytest.mark.parametrize(
    "name", ["From", "To", "Contact", "Subject", "User-Agent", "X-Any", "Organization", "Call-ID"]
)
async def test_a_call_in_latin_1_is_a_call(name: str) -> None:
    async with staged() as stage:
        value = {
            "From": f"{NAME}<sip:ann@{HOST}>;tag=near",
            "To": f"{NAME}<sip:bob@{HOST}>",
            "Contact": NAME + stage.carrier.contact("me"),
            "Call-ID": f"b{LATIN}ro@peer",
        }.get(name, f"B{LATIN}ro")
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER, **{name: value}))
        invite = await stage.pbx.hear("INVITE")
        if name == "From":
            assert invite.one("From").startswith('"M\xfcller" <sip:ann@')
        stage.pbx.reply(
            invite, 200, body=ANSWER, Contact=NAME + stage.pbx.contact("far"), Server=f"B{LATIN}ro"
        )
        answer = await stage.carrier.hear("200")
        assert name not in ("From", "Call-ID") or answer.one(name) == value  # the octets that came
        near = Call.placed(answer)
        stage.carrier.send(stage.carrier.request("ACK", call=near))
        await stage.pbx.hear("ACK")
        stage.carrier.send(
            stage.carrier.request("BYE", call=near, cseq=2, Reason=f'Q.850;cause=16;text="{LATIN}"')
        )
        await stage.carrier.hear("200")
        await stage.pbx.hear("BYE")


async def test_a_refusal_in_latin_1_is_heard_as_what_it_is() -> None:
    async with staged() as stage:
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        invite = await stage.pbx.hear("INVITE")
        text = (
            stage.pbx.reply(invite, 486)
            .replace("486 Whatever", f"486 Besetzt, f{LATIN}r immer")
            .replace("far", "other")
        )
        stage.pbx.send(text.replace(";tag=other", ";tag=far"))
        assert (await stage.carrier.hear("486")).uri == "486"
        assert stage.bridge.kinds(LegFailed)


@pytest.mark.parametrize(
    "uri",
    [
        "SIP:+493012345670@{host}",
        "sip:+493012345670@asterisk_1.example",
        "sip:+493012345670@{host};user=phone;",
        "sip:+493012345670@{host};x=a=b",
        "sip:+493012345670;cpc=ordinary@{host};user=phone",
        "tel:+493012345670",
        "sip:+493012345670@[::ffff:192.0.2.1]",
    ],
)
async def test_who_calls_is_known_whatever_the_uri_looks_like(uri: str) -> None:
    async with staged() as stage:
        stage.carrier.send(
            stage.carrier.request("INVITE", body=OFFER, From=f"<{uri.format(host=HOST)}>;tag=near")
        )
        assert (await stage.pbx.hear("INVITE")).one("From").startswith("<sip:+493012345670@")


@pytest.mark.parametrize(
    "uri",
    [
        "SIP:+4930@{here}",
        "sip:+4930@tonewall_1.example",
        "sip:+4930@{here};transport=udp;",
        "sip:+4930@{here};did=a==",
    ],
)
async def test_an_odd_request_uri_is_taken(uri: str) -> None:
    async with staged() as stage:
        here = f"{HOST}:{stage.bridge.port}"
        text = stage.carrier.request("INVITE", body=OFFER)
        stage.carrier.send(text.replace(f"INVITE sip:bob@{here}", f"INVITE {uri.format(here=here)}", 1))
        assert (await stage.pbx.hear("INVITE")).uri.startswith("sip:+4930@")


async def answered(stage: Stage, peer: SipPeer, text: str, code: str) -> None:
    peer.send(text)
    await peer.hear(code)
    assert stage.bridge.engine.counters().get("errors", 0) == 0


@pytest.mark.parametrize("method", ["!odd-Method0123456789_*+`.%indeed'~", "invite", "PUBLISH", "NOTIFY2"])
async def test_a_method_that_is_not_known_is_answered_with_those_that_are(method: str) -> None:
    async with staged() as stage:
        stage.carrier.send(stage.carrier.request(method, To=f'"\\\x07 \\\x00" <sip:b@{HOST}>'))
        assert "INVITE" in (await stage.carrier.hear("405")).one("Allow")


BAD = {
    "no Via": lambda text: text.replace("\r\nVia:", "\r\nX-Via:", 1),
    "a CSeq of another method": lambda text: text.replace("1 OPTIONS", "1 INVITE", 1),
    "a control character": lambda text: text.replace("\r\nMax", "\r\nX: \x07\r\nMax", 1),
    "no URI": lambda text: text.replace("OPTIONS sip:", "OPTIONS <sip:", 1),
    "an unknown scheme": lambda text: text.replace("OPTIONS sip:", "OPTIONS nobody:", 1),
    "another version": lambda text: text.replace(" SIP/2.0", " SIP/7.0", 1),
    "an open quote": lambda text: text.replace("\r\nFrom: ", '\r\nFrom: "', 1).replace('"Ann"', "Ann"),
    "no colon": lambda text: text.replace("\r\nMax", "\r\nnothing\r\nMax", 1),
    "too many lines": lambda text: text.replace("\r\nMax", "\r\n" + "X: y\r\n" * 300 + "Max", 1),
    "a long method": lambda text: (
        "!interesting-Method0123456789_*+`.%indeed'~" + text.removeprefix("OPTIONS")
    ),
    "too large a body": lambda text: text.replace(
        "Content-Length: 0\r\n\r\n", f"Content-Length: 20000\r\n\r\n{'x' * 20_000}"
    ),
    "a status line of nothing": lambda text: text.replace(text.split("\r\n", 1)[0], "SIP/2.0 999 Odd", 1),
}


@pytest.mark.parametrize("name", BAD)
async def test_one_bad_message_does_not_close_a_connection_that_others_use(name: str) -> None:
    carrier, pbx = StreamPeer("127.0.0.1"), SipPeer("127.0.0.2")
    async with line(carrier, pbx) as bridge:
        await carrier.listen()
        await carrier.connect()
        carrier.send(BAD[name](carrier.request("OPTIONS")))
        carrier.send(carrier.request("OPTIONS"))
        await carrier.hear("200")
        carrier.send(carrier.request("OPTIONS"))
        await carrier.hear("200")
        assert not carrier._tasks[-1].done()
        assert bridge.engine.counters().get("connections", 1) >= 1


# --- through the whole product --------------------------------------------------------------------

ROUTES = {
    "carrier": {"numbers": "e164", "country": "49"},
    "pbx": {"numbers": "national", "country": "49"},
    "route in": {"source": "carrier", "callee": r"/\+493055512(\d{3})/", "callee_as": r"\1", "to": "pbx"},
    "route other": {"source": "carrier", "to": "pbx"},
}


@contextlib.asynccontextmanager
async def product(
    tmp_path: Path, extra: dict[str, dict[str, str]]
) -> AsyncIterator[tuple[Stack, SipPeer, SipPeer]]:
    with contextlib.closing(SipPeer()) as carrier, contextlib.closing(SipPeer()) as pbx:
        stack = Stack(tmp_path, carrier.port, pbx.port, extra=extra)
        async with running(stack), without_complaint(stack):
            carrier.engine = pbx.engine = (HOST, stack.sip_port)
            yield stack, carrier, pbx


async def invited(carrier: SipPeer, pbx: SipPeer, uri: str, from_: str) -> tuple[str, str]:
    """The Request-URI's and From's users at the PBX."""
    text = carrier.request("INVITE", body=offer(4000), From=f"<{from_}>;tag=near")
    carrier.send(f"INVITE {uri} {text.split(' ', 2)[2]}")
    invite = await pbx.hear("INVITE")
    pbx.reply(invite, 486)
    await carrier.hear("486")
    return invite.uri.removeprefix("sip:").partition("@")[0], invite.one("From").partition("<sip:")[
        2
    ].partition("@")[0]


async def test_routes_and_number_plans_see_numbers_without_their_parameters(tmp_path: Path) -> None:
    async with product(tmp_path, ROUTES) as (_, carrier, pbx):
        ann = "sip:+493012345670;cpc=ordinary@127.0.0.1;user=phone"
        for uri, seen in (
            ("sip:+493055512340;npdi;rn=+4930999@127.0.0.1", "340"),
            ("sip:+493055512340;isub=1@127.0.0.1;user=phone", "340"),
            ("tel:55512340;phone-context=+4930", "340"),
            ("sip:+494012345678;npdi@127.0.0.1", "04012345678"),
        ):
            assert await invited(carrier, pbx, uri, ann) == (seen, "03012345670")


async def test_a_trunk_may_ask_for_the_parameters_and_for_user_phone(tmp_path: Path) -> None:
    extra = {"pbx": {"user_parameters": "npdi, rn", "user_phone": "yes"}}
    async with product(tmp_path, extra) as (_, carrier, pbx):
        text = carrier.request("INVITE", body=offer(4000), From="<sip:+4930;cpc=x@h>;tag=near")
        carrier.send(f"INVITE sip:+4940;npdi;rn=+4930999@127.0.0.1 {text.split(' ', 2)[2]}")
        invite = await pbx.hear("INVITE")
        assert invite.uri == f"sip:+4940;npdi;rn=+4930999@{HOST}:{pbx.port};user=phone"
        assert invite.one("From").startswith(f"<sip:+4930@{HOST};user=phone>")
        pbx.reply(invite, 486)
        await carrier.hear("486")


async def test_a_name_in_latin_1_is_in_no_ones_way(tmp_path: Path) -> None:
    """Call, list, ladder and record: every way on which the name and the octets around it
    travel."""
    async with product(tmp_path, {"general": {"log_level": "debug"}}) as (stack, carrier, pbx):
        carrier.send(
            carrier.request(
                "INVITE",
                body=offer(4000),
                From=f"{NAME}<sip:m{LATIN}ller@{HOST}>;tag=near",
                To=f"{NAME}<sip:bob@{HOST}>",
                Contact=NAME + carrier.contact("me"),
                Call_ID=f"{LATIN}@peer",
                Subject=f"{LATIN}",
                X_Any=f"{LATIN}",
            )
        )
        invite = await pbx.hear("INVITE")
        pbx.reply(invite, 200, body=offer(4002), Contact=NAME + pbx.contact("far"))
        near = Call.placed(await carrier.hear("200"))
        carrier.send(carrier.request("ACK", call=near))
        await pbx.hear("ACK")
        [call] = (await stack.api.get("/v1/calls")).json()
        assert call["caller"] == "m\xfcller"
        [ladder] = (await stack.api.get("/v1/ladders")).json()
        assert ladder["caller"] == "m\xfcller"
        shown = await stack.api.get(f"/v1/calls/{call['id']}/ladder")
        assert shown.status_code == 200
        carrier.send(carrier.request("BYE", call=near, cseq=2, From=near.local))
        pbx.reply(await pbx.hear("BYE"), 200)
        await until(
            lambda: [row["caller"] for row in stack.records()] == ["m\xfcller"], "the record of the call"
        )
