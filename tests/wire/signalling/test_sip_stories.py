"""The engine between two peers that the test plays by hand: the corners of RFC 3261 that
well-behaved phones never show."""

from __future__ import annotations

import asyncio
import re

import pytest

from b2bua.call.leg import (
    LegAnswered,
    LegConfirmed,
    LegFailed,
    LegHungUp,
    LegInvited,
    LegReinvited,
    ReinviteAnswered,
    ReinviteCancelled,
    ReinviteFailed,
)
from b2bua.call.leg_command import HangUpLeg, ReinviteLeg
from b2bua.sip.hop import Transport
from b2bua.sip.transaction.transaction import Timers
from b2bua.sip.trunk.targets import Located, Target
from tests.wire.signalling.stage import (
    ANSWER,
    HELD,
    OFFER,
    ack_of,
    ask,
    expect_credentials,
    staged,
)
from tests.wire.sip_bridge import until
from tests.wire.sip_peer import SDP, Call, SipPeer


@pytest.fixture
async def stage():
    async with staged() as made:
        yield made


# --- the call -------------------------------------------------------------------------------------


async def test_the_far_leg_tells_nothing_of_the_near_one_but_who_calls_whom(stage):
    near, _ = await stage.up()
    invite = next(message for message in stage.pbx.heard if message.what == "INVITE")
    assert invite.one("From").startswith('"Ann" <sip:ann@')
    assert invite.uri == f"sip:bob@127.0.0.1:{stage.pbx.port}"
    assert invite.one("Max-Forwards") == "69"
    assert len(invite.all("Via")) == 1
    for secret in (near.call_id, str(stage.carrier.port), "tag=near"):
        assert secret not in invite.text
    assert invite.body == OFFER
    ok = next(message for message in stage.carrier.heard if message.what == "200")
    assert str(stage.pbx.port) not in ok.text
    assert f"received=127.0.0.1;rport={stage.carrier.port}" in ok.one("Via")


async def test_either_side_hangs_up_the_other(stage):
    near, _ = await stage.up()
    stage.carrier.send(stage.carrier.request("BYE", call=near, cseq=2))
    await stage.carrier.hear("200")
    bye = await stage.pbx.hear("BYE")
    stage.pbx.reply(bye, 200)
    await stage.empty()
    assert len(stage.bridge.kinds(LegHungUp)) == 2


async def test_a_far_end_that_hangs_up_ends_the_near_leg(stage):
    _, far = await stage.up()
    stage.pbx.send(stage.pbx.request("BYE", call=far))
    await stage.pbx.hear("200")
    bye = await stage.carrier.hear("BYE")
    assert bye.uri == f"sip:me@127.0.0.1:{stage.carrier.port}"
    stage.carrier.reply(bye, 200)
    await stage.empty()


async def test_an_invite_without_an_offer_is_reported_with_an_empty_one(stage):
    stage.carrier.send(stage.carrier.request("INVITE"))
    await stage.pbx.hear("INVITE")
    assert stage.bridge.kinds(LegInvited)[0].offer == b""


async def test_the_answer_in_an_ack_is_reported(stage):
    invite, _ = await stage.ring()
    stage.pbx.reply(invite, 200, body=ANSWER)
    near = Call.placed(await stage.carrier.hear("200"))
    stage.carrier.send(stage.carrier.request("ACK", call=near, body=OFFER))
    await until(lambda: stage.bridge.kinds(LegConfirmed) == [LegConfirmed(OFFER.encode())])


async def test_requests_follow_the_route_that_a_proxy_recorded(stage):
    proxy = SipPeer()
    proxy.engine = stage.bridge.engine.address
    invite, _ = await stage.ring()
    route = f"<sip:127.0.0.1:{proxy.port};lr>"
    stage.pbx.reply(
        invite, 200, body=ANSWER, Record_Route=f"<sip:farther;lr>, {route}", Contact="<sip:x@192.0.2.77>"
    )
    ack = await proxy.hear("ACK")
    assert ack.all("Route") == [route, "<sip:farther;lr>"]
    assert ack.uri == "sip:x@192.0.2.77"
    assert ack.one("CSeq") == invite.one("CSeq").replace("INVITE", "ACK")
    near = Call.placed(await stage.carrier.hear("200"))
    stage.carrier.send(stage.carrier.request("ACK", call=near))
    stage.carrier.send(stage.carrier.request("BYE", call=near, cseq=2))
    bye = await proxy.hear("BYE")
    assert bye.all("Route") == [route, "<sip:farther;lr>"]
    proxy.reply(bye, 200)
    await stage.empty()
    proxy.close()


# --- loss and time --------------------------------------------------------------------------------


async def test_each_repetition_of_a_2xx_is_acknowledged_again(stage):
    invite, _ = await stage.ring()
    text = stage.pbx.reply(invite, 200, body=ANSWER)
    ack = await stage.pbx.hear("ACK")
    for times in (2, 3):
        stage.pbx.send(text, invite.source)
        await stage.pbx.repeated(ack, times)
    assert len(stage.bridge.kinds(LegAnswered)) == 1


async def test_a_2xx_that_is_never_acknowledged_is_repeated_and_then_hung_up(stage):
    invite, _ = await stage.ring()
    stage.pbx.reply(invite, 200, body=ANSWER)
    ok = await stage.carrier.hear("200")
    await stage.carrier.repeated(ok, 5)
    bye = await stage.carrier.hear("BYE")
    stage.carrier.reply(bye, 200)
    assert LegHungUp("no ACK") in stage.bridge.kinds(LegHungUp)
    stage.pbx.reply(await stage.pbx.hear("BYE"), 200)
    await stage.empty()


async def test_a_repeated_invite_gets_the_newest_answer_and_opens_no_second_call(stage):
    text = stage.carrier.request("INVITE", body=OFFER)
    stage.carrier.send(text)
    invite = await stage.pbx.hear("INVITE")
    stage.pbx.reply(invite, 180)
    ringing = await stage.carrier.hear("180")
    stage.carrier.send(text)
    await stage.carrier.repeated(ringing, 2)
    assert len(stage.bridge.kinds(LegInvited)) == 1


async def test_a_far_end_that_never_answers_is_a_408():
    async with staged(Timers(t1=0.01, t2=0.04, t4=0.04, d=0.1)) as stage:
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        invite = await stage.pbx.hear("INVITE")
        await stage.pbx.repeated(invite, 4)
        refused = await stage.carrier.hear("408")
        stage.carrier.send(ack_of(stage.carrier, refused))
        assert stage.bridge.kinds(LegFailed)[0].code == 408
        await stage.empty()


async def test_a_far_end_that_cannot_be_reached_is_a_503(stage):
    # Broadcasts are refused by the kernel: the nearest thing on loopback to a network that is down.
    table = stage.bridge.engine._trunks
    nowhere = Target("broadcast", 5060, Transport.UDP, ("255.255.255.255",))
    table.set_located(table.peers["pbx"], Located((nowhere,), 60))
    stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
    refused = await stage.carrier.hear("503")
    stage.carrier.send(ack_of(stage.carrier, refused))
    assert stage.bridge.kinds(LegFailed)[0].code == 503
    await stage.empty()


# --- hanging up while it rings --------------------------------------------------------------------


async def test_cancel_waits_for_a_provisional(stage):
    stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
    invite = await stage.pbx.hear("INVITE")
    stage.bridge.engine.execute_command(stage.far_leg, HangUpLeg())
    await stage.pbx.repeated(invite, 3)
    stage.pbx.never("CANCEL")
    stage.pbx.reply(invite, 180)
    cancel = await stage.pbx.hear("CANCEL")
    assert cancel.branch == invite.branch
    assert cancel.one("CSeq") == invite.one("CSeq").replace("INVITE", "CANCEL")
    assert ";tag=" not in cancel.one("To")
    stage.pbx.reply(cancel, 200)
    stage.pbx.reply(invite, 487)
    assert (await stage.pbx.hear("ACK")).branch == invite.branch
    await stage.carrier.hear("487")


async def test_a_2xx_that_crosses_cancel_is_acknowledged_and_hung_up(stage):
    invite, _ = await stage.ring()
    stage.bridge.engine.execute_command(stage.far_leg, HangUpLeg())
    cancel = await stage.pbx.hear("CANCEL")
    stage.pbx.reply(invite, 200, body=ANSWER)
    stage.pbx.reply(cancel, 200)
    await stage.pbx.hear("ACK")
    stage.pbx.reply(await stage.pbx.hear("BYE"), 200)
    await until(lambda: stage.bridge.kinds(LegHungUp) != [])
    assert stage.bridge.kinds(LegAnswered) == []


async def test_a_far_end_that_ignores_cancel_is_given_up():
    async with staged(Timers(t1=0.01, t2=0.04, t4=0.04, d=0.1)) as stage:
        await stage.ring()
        stage.bridge.engine.execute_command(stage.far_leg, HangUpLeg())
        await stage.pbx.hear("CANCEL")
        refused = await stage.carrier.hear("487")
        stage.carrier.send(ack_of(stage.carrier, refused))
        await stage.empty()


async def test_bye_before_the_answer_ends_the_call(stage):
    invite, ringing = await stage.ring()
    near = Call.placed(ringing)
    stage.carrier.send(stage.carrier.request("BYE", call=near, cseq=2))
    await stage.carrier.hear("200")
    await stage.carrier.hear("487")
    stage.pbx.reply(await stage.pbx.hear("CANCEL"), 200)
    stage.pbx.reply(invite, 487)


async def test_hanging_up_before_the_ack_waits_for_it(stage):
    invite, _ = await stage.ring()
    stage.pbx.reply(invite, 200, body=ANSWER)
    near = Call.placed(ok := await stage.carrier.hear("200"))
    stage.bridge.engine.execute_command(stage.bridge.other[stage.far_leg], HangUpLeg())
    await stage.carrier.repeated(ok, 3)
    stage.carrier.never("BYE")
    stage.carrier.send(stage.carrier.request("ACK", call=near))
    stage.carrier.reply(await stage.carrier.hear("BYE"), 200)


async def test_a_second_fork_that_answers_is_acknowledged_and_hung_up(stage):
    invite, _ = await stage.ring()
    stage.pbx.reply(invite, 180, tag="other")
    stage.pbx.reply(invite, 200, tag="winner", body=ANSWER)
    await stage.carrier.hear("200")
    late = stage.pbx.reply(invite, 200, tag="other", body=ANSWER)
    bye = await stage.pbx.hear("BYE")
    assert bye.tag("To") == "other"
    stage.pbx.reply(bye, 200)
    acks = [await stage.pbx.hear("ACK") for _ in range(2)]
    assert [ack.tag("To") for ack in acks] == ["winner", "other"]
    stage.pbx.send(late, invite.source)
    await stage.pbx.repeated(acks[1], 2)
    assert [message.what for message in stage.pbx.heard].count("BYE") == 1
    assert stage.bridge.kinds(LegHungUp) == []


# --- re-INVITE ------------------------------------------------------------------------------------


async def test_a_reinvite_passes_in_both_directions(stage):
    near, far = await stage.up()
    for peer, other, call in ((stage.carrier, stage.pbx, near), (stage.pbx, stage.carrier, far)):
        peer.send(peer.request("INVITE", call=call, cseq=5, body=SDP.format("held")))
        invite = await other.hear("INVITE")
        assert invite.body == SDP.format("held")
        assert ";tag=" in invite.one("To")
        other.reply(invite, 200, body=SDP.format("resumed"))
        assert (await peer.hear("200")).body == SDP.format("resumed")
        peer.send(peer.request("ACK", call=call, cseq=5))
        assert (await other.hear("ACK")).one("CSeq").split()[0] == invite.one("CSeq").split()[0]
    await until(lambda: len(stage.bridge.kinds(LegConfirmed)) == 3)


async def test_a_refused_reinvite_leaves_the_call_up(stage):
    near, far = await stage.up()
    stage.carrier.send(stage.carrier.request("INVITE", call=near, cseq=2, body=HELD))
    stage.pbx.reply(await stage.pbx.hear("INVITE"), 488)
    refused = await stage.carrier.hear("488")
    stage.carrier.send(ack_of(stage.carrier, refused))
    await stage.pbx.hear("ACK")
    stage.pbx.send(stage.pbx.request("OPTIONS", call=far))
    await stage.pbx.hear("200")
    assert stage.bridge.engine.open_legs == 2


async def test_of_reinvites_that_cross_theirs_gets_491_and_ours_is_sent_again(stage):
    near, far = await stage.up()
    stage.carrier.send(stage.carrier.request("INVITE", call=near, cseq=2, body=HELD))
    invite = await stage.pbx.hear("INVITE")
    stage.pbx.send(stage.pbx.request("INVITE", call=far, body=HELD))
    refused = await stage.pbx.hear("491")
    stage.pbx.send(ack_of(stage.pbx, refused))
    stage.pbx.reply(invite, 491)
    again = await stage.pbx.hear("INVITE")
    assert (again.body, again.one("Call-ID")) == (HELD, invite.one("Call-ID"))
    assert int(again.one("CSeq").split()[0]) > int(invite.one("CSeq").split()[0])
    stage.pbx.reply(again, 200, body=ANSWER)
    await stage.carrier.hear("200")
    assert stage.bridge.kinds(ReinviteFailed) == []
    assert len(stage.bridge.kinds(LegReinvited)) == 1


async def test_a_reinvite_that_overlaps_another_is_told_to_retry(stage):
    near, _ = await stage.up()
    stage.carrier.send(stage.carrier.request("INVITE", call=near, cseq=2, body=HELD))
    await stage.pbx.hear("INVITE")
    stage.carrier.send(stage.carrier.request("INVITE", call=near, cseq=3, body=HELD))
    assert 0 <= int((await stage.carrier.hear("500")).one("Retry-After")) <= 10


async def test_our_own_second_reinvite_is_refused_at_once(stage):
    await stage.up()
    for _ in range(2):
        stage.bridge.engine.execute_command(stage.far_leg, ReinviteLeg(OFFER.encode()))
    await until(lambda: [event.code for event in stage.bridge.kinds(ReinviteFailed)] == [491])
    stage.pbx.reply(await stage.pbx.hear("INVITE"), 200, body=ANSWER)
    await until(lambda: len(stage.bridge.kinds(ReinviteAnswered)) == 1)


async def test_a_reinvite_that_is_cancelled_is_answered_with_487(stage):
    near, _ = await stage.up()
    text = stage.carrier.request("INVITE", call=near, cseq=2, body=HELD)
    stage.carrier.send(text)
    await stage.pbx.hear("INVITE")
    via = re.search(r"Via: (.*)\r", text)[1]
    stage.carrier.send(stage.carrier.request("CANCEL", call=near, cseq=2, Via=via))
    await stage.carrier.hear("200")
    await stage.carrier.hear("487")
    await until(lambda: stage.bridge.kinds(ReinviteCancelled) == [ReinviteCancelled()])
    assert stage.bridge.engine.open_legs == 2


async def test_a_dialog_that_the_far_end_does_not_know_any_more_is_lost(stage):
    await stage.up()
    stage.bridge.engine.execute_command(stage.far_leg, ReinviteLeg(OFFER.encode()))
    stage.pbx.reply(await stage.pbx.hear("INVITE"), 481)
    stage.carrier.reply(await stage.carrier.hear("BYE"), 200)
    assert LegHungUp("dialog lost") in stage.bridge.kinds(LegHungUp)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["NOTIFY", "FROBNICATE"])
async def test_other_methods_are_refused_and_not_relayed(stage, method):
    near, _ = await stage.up()
    for call in (near, None):
        body = "Signal=5\r\nDuration=160\r\n"
        text = stage.carrier.request(
            method, call=call, cseq=9, body=body, Content_Type="application/dtmf-relay"
        )
        stage.carrier.send(text)
        assert "INVITE" in (await stage.carrier.hear("405")).one("Allow")
    stage.carrier.send(stage.carrier.request("BYE", call=near, cseq=10))
    await stage.pbx.hear("BYE")
    assert {message.what for message in stage.pbx.heard} == {"INVITE", "ACK", "BYE"}


@pytest.mark.parametrize(
    ("method", "headers", "code", "shows"),
    [
        ("OPTIONS", {}, "200", "Accept"),
        ("INVITE", {"Max_Forwards": "0"}, "483", ""),
        ("INVITE", {"Require": "precondition"}, "420", "Unsupported"),
        ("INVITE", {"Content_Type": "text/plain"}, "415", "Accept"),
        ("INVITE", {"Content_Encoding": "gzip"}, "415", "Accept-Encoding"),
        ("INVITE", {"Contact": ""}, "400", ""),
        ("INVITE", {"To": "<sip:bob@127.0.0.1>;tag=unknown"}, "481", ""),
        ("BYE", {"To": "<sip:bob@127.0.0.1>;tag=unknown"}, "481", ""),
        ("BYE", {}, "481", ""),
        ("CANCEL", {}, "481", ""),
        ("REGISTER", {}, "405", "Allow"),
    ],
)
async def test_requests_out_of_a_dialog_get_their_proper_answer(stage, method, headers, code, shows):
    body = OFFER if method == "INVITE" else ""
    stage.carrier.send(stage.carrier.request(method, body=body, **headers))
    answer = await stage.carrier.hear(code)
    assert ";tag=" in answer.one("To")
    assert not shows or answer.one(shows)
    assert stage.bridge.seen == []


async def test_an_old_number_in_a_dialog_is_a_500(stage):
    near, _ = await stage.up()
    stage.carrier.send(stage.carrier.request("OPTIONS", call=near, cseq=1))
    await stage.carrier.hear("500")


async def test_a_call_that_reaches_us_on_two_ways_is_taken_once(stage):
    text = stage.carrier.request("INVITE", body=OFFER)
    stage.carrier.send(text)
    await stage.pbx.hear("INVITE")
    stage.carrier.send(re.sub("branch=z9hG4bK", "branch=z9hG4bKother", text))
    await stage.carrier.hear("482")
    assert len(stage.bridge.kinds(LegInvited)) == 1


async def test_a_stranger_is_refused_and_cannot_touch_a_call(stage):
    near, _ = await stage.up()
    for host in ("127.0.0.1", "127.0.0.9"):
        stranger = SipPeer(host)
        stranger.engine = stage.bridge.engine.address
        stranger.send(stranger.request("INVITE", body=OFFER))
        await stranger.hear("403")
        stranger.close()
    stranger = SipPeer("127.0.0.9")
    stranger.send(stranger.request("BYE", call=near, cseq=2), stage.bridge.engine.address)
    await stranger.hear("403")
    stranger.close()
    assert stage.bridge.engine.open_legs == 2
    assert stage.bridge.engine.counters()["strangers"] == 3


async def test_stopping_hangs_up_what_is_up_and_refuses_what_rings(stage):
    await stage.up()
    stopping = asyncio.create_task(stage.bridge.engine.stop(5.0))
    stage.carrier.reply(await stage.carrier.hear("BYE"), 200)
    stage.pbx.reply(await stage.pbx.hear("BYE"), 200)
    await asyncio.wait_for(stopping, 3.0)
    assert len(stage.bridge.kinds(LegHungUp)) == 2


# --- digest ---------------------------------------------------------------------------------------


async def test_a_challenge_is_answered_for_invite_and_bye():
    async with staged(username="tonewall", password="s3cret") as stage:
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        first = await stage.pbx.hear("INVITE")
        assert first.all("Authorization") == []
        stage.pbx.reply(first, 401, tag="c", **ask("n1"))
        ack = await stage.pbx.hear("ACK")
        assert (ack.branch, ack.tag("To")) == (first.branch, "c")
        second = await stage.pbx.hear("INVITE")
        expect_credentials(second, "INVITE", "n1", "00000001")
        assert second.one("CSeq") == "2 INVITE"
        assert (second.one("Call-ID"), second.one("From")) == (first.one("Call-ID"), first.one("From"))
        assert second.branch != first.branch
        assert second.body == OFFER
        stage.pbx.reply(second, 200, body=ANSWER)
        assert (await stage.pbx.hear("ACK")).one("CSeq") == "2 ACK"
        await stage.carrier.hear("200")
        stage.bridge.engine.execute_command(stage.far_leg, HangUpLeg())
        bye = await stage.pbx.hear("BYE")
        stage.pbx.reply(bye, 401, **ask("n1"))
        again = await stage.pbx.hear("BYE")
        expect_credentials(again, "BYE", "n1", "00000002")
        assert int(again.one("CSeq").split()[0]) == 4
        stage.pbx.reply(again, 200)


async def test_a_wrong_password_is_tried_once_and_a_stale_nonce_once_more():
    async with staged(username="tonewall", password="s3cret") as stage:
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        stage.pbx.reply(await stage.pbx.hear("INVITE"), 401, **ask("n1"))
        stage.pbx.reply(await stage.pbx.hear("INVITE"), 401, **ask("n2", more=", stale=true"))
        third = await stage.pbx.hear("INVITE")
        expect_credentials(third, "INVITE", "n2", "00000001")
        stage.pbx.reply(third, 401, **ask("n3", more=", stale=true"))
        await stage.carrier.hear("401")
        assert [message.what for message in stage.pbx.heard].count("INVITE") == 3


async def test_a_challenge_of_another_realm_is_not_answered():
    async with staged(username="tonewall", password="s3cret") as stage:
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        stage.pbx.reply(await stage.pbx.hear("INVITE"), 401, **ask("n1"))
        stage.pbx.reply(await stage.pbx.hear("INVITE"), 200, body=ANSWER)
        await stage.carrier.hear("200")
        stage.bridge.engine.execute_command(stage.far_leg, HangUpLeg())
        stage.pbx.reply(await stage.pbx.hear("BYE"), 401, **ask("n2", realm="thief.example"))
        await until(lambda: LegHungUp("hung up") in stage.bridge.kinds(LegHungUp))
        assert [message.what for message in stage.pbx.heard].count("BYE") == 1


async def test_a_trunk_without_credentials_hands_the_challenge_on_as_a_refusal(stage):
    stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
    stage.pbx.reply(await stage.pbx.hear("INVITE"), 401, **ask("n"))
    await stage.carrier.hear("401")
    assert [message.what for message in stage.pbx.heard].count("INVITE") == 1


async def test_after_another_answer_in_an_ack_the_first_offer_is_no_mere_refresh(stage):
    near, _ = await stage.up()
    stage.carrier.send(stage.carrier.request("INVITE", call=near, cseq=2))
    stage.pbx.reply(await stage.pbx.hear("INVITE"), 200, body=ANSWER)
    await stage.carrier.hear("200")
    stage.carrier.send(stage.carrier.request("ACK", call=near, cseq=2, body=HELD))
    stage.carrier.send(stage.carrier.request("INVITE", call=near, cseq=3, body=OFFER))
    await until(lambda: [event.offer for event in stage.bridge.kinds(LegReinvited)] == [b"", OFFER.encode()])
