"""A PBX that registers to us and proves who it is: pjsua2 as the PBX, and peers played by hand for
what it would never do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from b2bua.call.leg import LegInvited
from b2bua.sip.auth.challenger import MAX_GUESSES
from tests.stack import Stack, running, until
from tests.wire import handmade
from tests.wire.paying import nothing_left, without_complaint
from tests.wire.signalling.registering_pbx import DYNAMIC, PASSWORD, USER, Pbx, answer_to, hops, pjsua
from tests.wire.signalling.stage import ANSWER, OFFER, Stage, ack_of, staged
from tests.wire.sip_peer import SDP, Call, SipPeer


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged(**DYNAMIC) as both:  # type: ignore[arg-type]
        yield both


# --- registering ----------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1], ids=["SHA-256", "MD5"])
async def test_who_knows_the_password_is_registered_and_called_where_it_came_from(stage: Stage, which: int):
    assert hops(stage) == []
    ok = await Pbx(stage).registered(which, Contact="<sip:me@192.0.2.55:5099>;expires=600")
    assert ok.one("Contact") == "<sip:me@192.0.2.55:5099>;expires=600"
    assert hops(stage) == [("127.0.0.1", stage.pbx.port)]
    stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
    invite = await stage.pbx.hear("INVITE")
    assert invite.uri == f"sip:bob@127.0.0.1:{stage.pbx.port}"
    stage.pbx.reply(invite, 486)
    await stage.carrier.hear("486")


async def test_nobody_else_is_and_a_guess_looks_like_an_unknown_name(stage: Stage):
    pbx = Pbx(stage)
    wrong = await pbx.challenged()
    pbx.send(**answer_to(wrong, "REGISTER", "guess"))
    first = await stage.pbx.hear("401")
    pbx.send(**answer_to(first, "REGISTER", user="nobody"))
    second = await stage.pbx.hear("401")
    shapes = [
        re.sub(r'nonce="[^"]+"|tag=\w+|CSeq: \d+|branch=\w+', "", heard.text) for heard in (first, second)
    ]
    assert shapes[0] == shapes[1]
    assert hops(stage) == []
    assert stage.bridge.engine.counters()["registrations_refused"] == 2
    assert stage.bridge.engine.open_transactions == 0


async def test_a_source_that_guesses_hears_nothing_more(stage: Stage):
    pbx = Pbx(stage)
    asked = await pbx.challenged()
    for guess in range(MAX_GUESSES):
        pbx.send(**answer_to(asked, "REGISTER", f"guess {guess}"))
        if guess < MAX_GUESSES - 1:
            asked = await stage.pbx.hear("401")
    counters = stage.bridge.engine.counters
    await until(lambda: counters().get("registrations_refused") == MAX_GUESSES, "all guesses counted")
    pbx.send(**answer_to(asked, "REGISTER"))  # right, and too late
    await until(lambda: counters()["registrations_refused"] == MAX_GUESSES + 1, "the last one refused unseen")
    assert hops(stage) == []


@pytest.mark.parametrize("call_id", ["r1@pbx", "other"])
@pytest.mark.parametrize("host", ["127.0.0.9", "127.0.0.1"])
async def test_an_answer_that_somebody_overheard_is_worth_nothing(stage: Stage, host: str, call_id: str):
    pbx, thief = Pbx(stage), SipPeer(host)
    thief.engine = stage.pbx.engine
    with contextlib.closing(thief.socket):
        asked = await pbx.challenged()
        header = answer_to(asked, "REGISTER")
        pbx.send(**header)
        await stage.pbx.hear("200")
        again = Pbx(stage, thief)
        again._cseq = 1  # what it heard had the number that comes next
        again.send(Call_ID=call_id, **header)
        assert "stale=true" in (await thief.hear("401")).all("WWW-Authenticate")[0]
        assert hops(stage) == [("127.0.0.1", stage.pbx.port)]


async def test_who_writes_the_pbxs_address_into_a_datagram_does_not_keep_it_from_registering(stage: Stage):
    pbx, stranger = Pbx(stage), SipPeer("127.0.0.9")
    stranger.engine = stage.pbx.engine
    with contextlib.closing(stranger.socket):
        elsewhere = answer_to(await Pbx(stage, stranger).challenged(), "REGISTER", "guess")
    for forged in ({"Authorization": "junk"}, elsewhere):
        for _ in range(MAX_GUESSES + 1):
            pbx.send(Call_ID="forged", **forged)
            await stage.pbx.hear("401")
    await pbx.registered()
    assert stage.bridge.engine.counters().get("registrations_refused", 0) == 0


async def test_a_registration_can_be_asked_for_renewed_and_given_back(stage: Stage):
    pbx = Pbx(stage)
    assert (await pbx.registered(Expires="120")).one("Contact").endswith(";expires=120")
    assert (await pbx.registered(Contact="")).one("Contact").endswith(";expires=120")
    assert (await pbx.registered(Expires="99999999")).one("Contact").endswith(";expires=3600")
    assert not (await pbx.registered(Expires="0")).all("Contact")
    assert hops(stage) == []


async def test_what_a_pbx_requires_and_we_do_not_have_is_said(stage: Stage):
    pbx = Pbx(stage)
    header = answer_to(await pbx.challenged(), "REGISTER")
    pbx.send(Require="path, gruu", **header)
    assert (await stage.pbx.hear("420")).one("Unsupported") == "path, gruu"
    assert hops(stage) == []


async def test_what_is_too_brief_or_contradicts_itself_is_refused(stage: Stage):
    pbx = Pbx(stage)
    header = answer_to(await pbx.challenged(), "REGISTER")
    pbx.send(Expires="5", **header)
    assert (await stage.pbx.hear("423")).one("Min-Expires") == "60"
    header = answer_to(await pbx.challenged(), "REGISTER")
    pbx.send(Contact="*", Expires="60", **header)
    await stage.pbx.hear("400")
    await pbx.registered()
    assert not (await pbx.registered(Contact="*", Expires="0")).all("Contact")
    assert hops(stage) == []


# --- proving who calls ----------------------------------------------------------------------------


async def test_a_call_of_the_pbx_proves_the_password_before_any_leg_is_made(stage: Stage):
    await Pbx(stage).registered()
    stage.pbx.send(stage.pbx.request("INVITE", body=OFFER))
    asked = await stage.pbx.hear("407")
    assert len(asked.all("Proxy-Authenticate")) == 2
    stage.pbx.send(ack_of(stage.pbx, asked))
    assert stage.bridge.kinds(LegInvited) == []
    assert stage.bridge.engine.open_transactions == 0
    stage.pbx.send(stage.pbx.request("INVITE", cseq=2, body=OFFER, **answer_to(asked, "INVITE")))
    invite = await stage.carrier.hear("INVITE")
    assert "Authorization" not in invite.text
    stage.carrier.reply(invite, 200, body=ANSWER)
    call = Call.placed(await stage.pbx.hear("200"))
    stage.pbx.send(stage.pbx.request("ACK", cseq=2, call=call))
    await stage.carrier.hear("ACK")
    # Within the call nothing more is to be proved.
    stage.pbx.send(stage.pbx.request("BYE", cseq=3, call=call))
    stage.carrier.reply(await stage.carrier.hear("BYE"), 200)
    await stage.pbx.hear("200")


@pytest.mark.parametrize("tag", ["near", "thief"])
async def test_the_answer_for_one_number_opens_no_call_to_another(stage: Stage, tag: str):
    await Pbx(stage).registered()
    stage.pbx.send(stage.pbx.request("INVITE", body=OFFER))
    asked = await stage.pbx.hear("407")
    stage.pbx.send(ack_of(stage.pbx, asked))
    text = stage.pbx.request("INVITE", cseq=2, body=OFFER, **answer_to(asked, "INVITE"))
    stage.pbx.send(text)
    await stage.carrier.hear("INVITE")
    dear = re.sub("^INVITE sip:bob@", "INVITE sip:0900@", text)
    stage.pbx.send(re.sub("branch=[^;\r]+", "branch=z9hG4bKother", dear).replace("tag=near", f"tag={tag}"))
    again = await stage.pbx.hear("407")
    assert "stale" not in again.text
    assert len(stage.bridge.kinds(LegInvited)) == 1


async def test_a_flood_of_calls_without_a_password_keeps_nothing(stage: Stage):
    await Pbx(stage).registered()
    for _ in range(300):
        stage.pbx.send(stage.pbx.request("INVITE", body=SDP.format("flood")))
        asked = await stage.pbx.hear("407")
    engine = stage.bridge.engine
    assert (engine.open_legs, engine.open_dialogs, engine.open_transactions) == (0, 0, 0)
    header = answer_to(asked, "INVITE", "guess")
    stage.pbx.send(stage.pbx.request("INVITE", cseq=2, body=OFFER, **header))
    await stage.pbx.hear("407")
    assert stage.bridge.kinds(LegInvited) == []


# --- a real one -----------------------------------------------------------------------------------


async def test_pjsua2_registers_takes_a_call_and_places_one(tmp_path: Path):
    carrier = SipPeer()
    keys = {"host": "dynamic", "username": USER, "password": PASSWORD}
    stack = Stack(tmp_path, carrier.port, 0, extra={"pbx": keys})
    with contextlib.closing(carrier.socket):
        async with running(stack), without_complaint(stack), pjsua(stack.sip_port) as (says, process):
            carrier.engine = ("127.0.0.1", stack.sip_port)
            assert process.stdin is not None
            await says("registered 200")
            carrier.send(carrier.request("INVITE", body=handmade.offer(carrier.port)))
            call = Call.placed(await carrier.hear("200"))
            carrier.send(carrier.request("ACK", call=call))
            await says("call up")
            await stack.calls_up()
            carrier.send(carrier.request("BYE", call=call, cseq=2))
            await carrier.hear("200")
            await says("call over")
            process.stdin.write(f"sip:100@127.0.0.1:{stack.sip_port}\n".encode())
            invite = await carrier.hear("INVITE")
            assert invite.uri.startswith("sip:100@")
            assert "Authorization" not in invite.text
            carrier.reply(invite, 200, body=handmade.offer(carrier.port))
            await carrier.hear("ACK")
            await says("call up")
            process.stdin.write(b"\n")
            carrier.reply(await carrier.hear("BYE"), 200)
            await nothing_left(stack)
    log = stack.log.read_text()
    assert PASSWORD not in log
    assert "Digest" not in log
