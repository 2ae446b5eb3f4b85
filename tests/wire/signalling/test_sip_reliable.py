"""Provisional answers that arrive for sure (RFC 3262), on either leg without the other; UPDATE
before the answer (RFC 3311)."""

from __future__ import annotations

import re

import pytest

from b2bua.call.leg import LegFailed, LegProgressed, LegReinvited
from b2bua.sip.leg.dialog import MAX_FORKS
from tests.wire.signalling.stage import ANSWER, HELD, OFFER, Stage, ack_of, staged
from tests.wire.sip_bridge import QUICK, until
from tests.wire.sip_peer import SDP, Call, Heard, SipPeer

RELIABLE = {"Require": "100rel"}
MOVED = SDP.format("moved")


@pytest.fixture
async def stage():
    async with staged() as made:
        yield made


def prack(
    peer: SipPeer, ringing: Heard, *, rseq: int | None = None, cseq: int = 2, body: str = "", sent: int = 1
) -> str:
    """The PRACK for a provisional answer, sent. `rseq`: another than its own."""
    number = rseq if rseq is not None else int(ringing.one("RSeq"))
    text = peer.request(
        "PRACK", call=Call.placed(ringing), cseq=cseq, body=body, RAck=f"{number} {sent} INVITE"
    )
    peer.send(text)
    return text


def reply(stage: Stage, invite: Heard, code: int, rseq: int, body: str = "", tag: str = "far") -> None:
    stage.pbx.reply(invite, code, tag, body, RSeq=str(rseq), **RELIABLE)


# --- towards a peer that asks for PRACK -----------------------------------------------------------


async def test_a_reliable_ringing_is_acknowledged_and_the_caller_who_knows_nothing_of_it_just_hears_ringing(
    stage,
):
    stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
    invite = await stage.pbx.hear("INVITE")
    assert "100rel" in invite.one("Supported")
    reply(stage, invite, 183, 7, ANSWER)
    sent = await stage.pbx.hear("PRACK")
    assert sent.one("RAck") == "7 1 INVITE"
    assert sent.one("CSeq") == "2 PRACK"
    assert sent.one("To").endswith(";tag=far")
    assert sent.uri == f"sip:far@127.0.0.1:{stage.pbx.port}"
    stage.pbx.reply(sent, 200)
    ringing = await stage.carrier.hear("183")
    assert ringing.body == ANSWER
    assert not ringing.all("RSeq")
    assert not ringing.all("Require")
    stage.pbx.reply(invite, 200)
    ok = await stage.carrier.hear("200")
    stage.carrier.send(stage.carrier.request("ACK", call=Call.placed(ok)))
    await stage.pbx.hear("ACK")
    near = Call.placed(ok)
    stage.carrier.send(stage.carrier.request("BYE", call=near, cseq=2))
    bye = await stage.pbx.hear("BYE")
    assert bye.one("CSeq") == "3 BYE"  # the PRACK had the second number
    stage.pbx.reply(bye, 200)
    await stage.carrier.hear("200")
    await stage.empty()


async def test_what_is_repeated_or_out_of_order_is_no_news(stage):
    stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
    invite = await stage.pbx.hear("INVITE")
    reply(stage, invite, 180, 7)
    stage.pbx.reply(await stage.pbx.hear("PRACK"), 200)
    reply(stage, invite, 180, 7)  # repeated
    reply(stage, invite, 183, 9)  # the one before was lost
    reply(stage, invite, 183, 8, ANSWER)
    second = await stage.pbx.hear("PRACK")
    assert second.one("RAck") == "8 1 INVITE"
    stage.pbx.reply(second, 200)
    reply(stage, invite, 183, 9)
    third = await stage.pbx.hear("PRACK")
    assert third.one("RAck") == "9 1 INVITE"
    stage.pbx.reply(third, 200)
    await until(lambda: len(stage.bridge.kinds(LegProgressed)) == 3)
    assert [event.code for event in stage.bridge.kinds(LegProgressed)] == [180, 183, 183]


async def test_each_fork_has_its_own_numbers(stage):
    stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
    invite = await stage.pbx.hear("INVITE")
    for tag, rseq in (("one", 7), ("two", 500), ("one", 8)):
        reply(stage, invite, 180, rseq, tag=tag)
        sent = await stage.pbx.hear("PRACK")
        assert sent.one("RAck") == f"{rseq} 1 INVITE"
        assert sent.one("To").endswith(f";tag={tag}")
        stage.pbx.reply(sent, 200)
    stage.pbx.reply(invite, 200, "two", ANSWER)
    await stage.carrier.hear("200")
    assert (await stage.pbx.hear("ACK")).one("To").endswith(";tag=two")


async def test_so_many_forks_are_followed_and_one_too_many_can_still_answer(stage):
    stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
    invite = await stage.pbx.hear("INVITE")
    for number in range(MAX_FORKS + 20):
        reply(stage, invite, 183, 1, tag=f"fork{number}")
    engine = stage.bridge.engine
    await until(lambda: engine.counters().get("forks_refused", 0) == 20)
    for _ in range(MAX_FORKS):
        stage.pbx.reply(await stage.pbx.hear("PRACK"), 200)
    assert engine.open_dialogs == MAX_FORKS + 1  # and the caller's
    for tag in ("fork30", "late"):
        stage.pbx.reply(invite, 200, tag, ANSWER)
        assert (await stage.pbx.hear("ACK")).one("To").endswith(f";tag={tag}")
    bye = await stage.pbx.hear("BYE")
    assert bye.one("To").endswith(";tag=late")
    stage.pbx.reply(bye, 200)
    await stage.carrier.hear("200")
    assert [message for message in stage.pbx.unread if message.what == "PRACK"] == []


@pytest.mark.parametrize("rseq", ["", "x", "-1", "4294967296", "1 2"])
async def test_an_rseq_that_is_none_is_ringing_like_any_other(stage, rseq):
    stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
    invite = await stage.pbx.hear("INVITE")
    stage.pbx.reply(invite, 180, RSeq=rseq, **RELIABLE)
    await stage.carrier.hear("180")
    stage.pbx.never("PRACK")


async def test_towards_a_trunk_that_shall_not_have_it_it_is_not_offered():
    async with staged(prack="never") as stage:
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        invite = await stage.pbx.hear("INVITE")
        assert "100rel" not in invite.one("Supported")


# --- towards a caller that asks for it ------------------------------------------------------------


async def invited(stage: Stage, **headers: str) -> Heard:
    stage.carrier.send(stage.carrier.request("INVITE", body=OFFER, **headers))
    return await stage.pbx.hear("INVITE")


async def test_a_caller_that_requires_it_gets_ringing_until_its_prack(stage):
    invite = await invited(stage, **RELIABLE)
    stage.pbx.reply(invite, 183, body=ANSWER)
    ringing = await stage.carrier.hear("183")
    assert ringing.one("Require") == "100rel"
    await stage.carrier.repeated(ringing, 3)
    # Its 200 waits for the PRACK, since the 183 had the answer.
    stage.pbx.reply(invite, 200, body=ANSWER)
    await until(lambda: any(type(event).__name__ == "LegAnswered" for _, event in stage.bridge.seen))
    stage.carrier.never("200")
    prack(stage.carrier, ringing)
    answers = [await stage.carrier.hear("200"), await stage.carrier.hear("200")]
    methods = {answer.one("CSeq"): answer for answer in answers}
    assert set(methods) == {"2 PRACK", "1 INVITE"}
    stage.carrier.send(stage.carrier.request("ACK", call=Call.placed(methods["1 INVITE"])))
    await stage.pbx.hear("ACK")


async def test_a_second_ringing_waits_for_the_first_ones_prack(stage):
    invite = await invited(stage, **RELIABLE)
    stage.pbx.reply(invite, 180)
    first = await stage.carrier.hear("180")
    stage.pbx.reply(invite, 183, body=ANSWER)
    await until(lambda: len(stage.bridge.kinds(LegProgressed)) == 2)
    stage.carrier.never("183")
    prack(stage.carrier, first)
    await stage.carrier.hear("200")
    second = await stage.carrier.hear("183")
    assert int(second.one("RSeq")) == int(first.one("RSeq")) + 1


async def test_of_the_ringing_that_waits_the_first_with_an_answer_and_the_newest_are_sent(stage):
    stage.carrier.send(stage.carrier.request("INVITE", body=OFFER, **RELIABLE))
    invite = await stage.pbx.hear("INVITE")
    stage.pbx.reply(invite, 180)
    ringing = await stage.carrier.hear("180")
    for code, body in ((181, ""), (183, ANSWER), *[(181, "")] * 30, (182, "")):
        stage.pbx.reply(invite, code, body=body)
    await until(lambda: len(stage.bridge.kinds(LegProgressed)) == 34)
    for cseq, code in enumerate(("183", "182"), 2):
        prack(stage.carrier, ringing, cseq=cseq)
        ringing = await stage.carrier.hear(code)
    assert not ringing.body
    prack(stage.carrier, ringing, cseq=4)
    stage.pbx.reply(invite, 200, body=ANSWER)
    while "INVITE" not in (await stage.carrier.hear("200")).one("CSeq"):
        pass
    stage.carrier.never("181")


async def test_a_200_does_not_wait_for_the_prack_of_a_mere_ringing(stage):
    invite = await invited(stage, **RELIABLE)
    stage.pbx.reply(invite, 180)
    ringing = await stage.carrier.hear("180")
    stage.pbx.reply(invite, 200, body=ANSWER)
    assert (await stage.carrier.hear("200")).one("CSeq") == "1 INVITE"
    prack(stage.carrier, ringing)  # it crosses the 200 (RFC 3262 section 3)
    assert (await stage.carrier.hear("200")).one("CSeq") == "2 PRACK"
    prack(stage.carrier, ringing, cseq=3)  # a second one is for nothing any more
    assert (await stage.carrier.hear("481")).one("CSeq") == "3 PRACK"
    call = Call.placed(ringing)
    stage.carrier.send(stage.carrier.request("ACK", call=call))
    await stage.pbx.hear("ACK")
    stage.carrier.send(stage.carrier.request("BYE", call=call, cseq=4))
    stage.pbx.reply(await stage.pbx.hear("BYE"), 200)
    await stage.carrier.hear("200")


async def test_a_prack_that_crosses_a_refusal_is_answered_once_by_200(stage):
    invite = await invited(stage, **RELIABLE)
    stage.pbx.reply(invite, 180)
    ringing = await stage.carrier.hear("180")
    stage.pbx.reply(invite, 486)
    refused = await stage.carrier.hear("486")
    stage.carrier.send(ack_of(stage.carrier, refused))
    prack(stage.carrier, ringing, cseq=2, rseq=int(ringing.one("RSeq")) + 1)
    assert (await stage.carrier.hear("481")).one("CSeq") == "2 PRACK"
    prack(stage.carrier, ringing, cseq=3)
    assert (await stage.carrier.hear("200")).one("CSeq") == "3 PRACK"
    prack(stage.carrier, ringing, cseq=4)
    assert (await stage.carrier.hear("481")).one("CSeq") == "4 PRACK"


async def test_a_prack_of_ours_that_crosses_the_200_ends_nothing(stage):
    invite = await invited(stage)
    reply(stage, invite, 183, 1, ANSWER)
    sent = await stage.pbx.hear("PRACK")
    stage.pbx.reply(invite, 200, body=ANSWER)
    near = Call.placed(await stage.carrier.hear("200"))
    stage.carrier.send(stage.carrier.request("ACK", call=near))
    await stage.pbx.hear("ACK")
    stage.pbx.reply(sent, 481)
    reply(stage, invite, 183, 1, ANSWER)  # once more, after the 200: no PRACK (section 4)
    stage.carrier.send(stage.carrier.request("BYE", call=near, cseq=2))
    bye = await stage.pbx.hear("BYE")
    assert int(bye.one("CSeq").split()[0]) > int(sent.one("CSeq").split()[0])
    stage.pbx.reply(bye, 200)
    await stage.carrier.hear("200")
    assert [each for each in stage.pbx.heard if each.what == "PRACK"] == [sent]


async def test_a_prack_for_something_else_gets_481(stage):
    invite = await invited(stage, **RELIABLE)
    stage.pbx.reply(invite, 180)
    ringing = await stage.carrier.hear("180")
    right = int(ringing.one("RSeq"))
    for cseq, rack in (
        (2, f"{right + 1} 1 INVITE"),
        (3, f"{right} 9 INVITE"),
        (4, f"{right} 1 BYE"),
        (5, "x"),
        (6, ""),
    ):
        stage.carrier.send(stage.carrier.request("PRACK", call=Call.placed(ringing), cseq=cseq, RAck=rack))
        assert (await stage.carrier.hear("481")).one("CSeq") == f"{cseq} PRACK"
    await stage.carrier.repeated(ringing, 3)
    prack(stage.carrier, ringing, cseq=7)
    assert (await stage.carrier.hear("200")).one("CSeq") == "7 PRACK"
    prack(stage.carrier, ringing, cseq=8)
    await stage.carrier.hear("481")


async def test_a_caller_that_never_sends_its_prack_is_refused_and_the_far_end_cancelled(stage):
    invite = await invited(stage, **RELIABLE)
    stage.pbx.reply(invite, 180)
    await stage.carrier.hear("180")
    final = await stage.carrier.hear("504")
    stage.carrier.send(ack_of(stage.carrier, final))
    stage.pbx.reply(await stage.pbx.hear("CANCEL"), 200)
    stage.pbx.reply(invite, 487)
    await stage.pbx.hear("ACK")
    assert next(event.code for event in stage.bridge.kinds(LegFailed)) == 504
    await stage.empty()


async def test_a_refusal_waits_for_nothing(stage):
    invite = await invited(stage, **RELIABLE)
    stage.pbx.reply(invite, 183, body=ANSWER)
    ringing = await stage.carrier.hear("183")
    stage.pbx.reply(invite, 486)
    stage.carrier.send(ack_of(stage.carrier, await stage.carrier.hear("486")))
    heard = stage.carrier.counts[ringing.text]
    await stage.empty()
    assert stage.carrier.counts[ringing.text] == heard


async def test_a_new_offer_in_a_prack_is_refused_and_the_old_one_is_answered(stage):
    invite = await invited(stage, **RELIABLE)
    stage.pbx.reply(invite, 183, body=ANSWER)
    ringing = await stage.carrier.hear("183")
    prack(stage.carrier, ringing, body=HELD)
    await stage.carrier.hear("488")
    stage.pbx.reply(invite, 200, body=ANSWER)
    assert (await stage.carrier.hear("200")).body == ANSWER


@pytest.mark.parametrize(("policy", "reliable"), [("required", False), ("supported", True), ("never", False)])
async def test_a_caller_that_only_knows_it_gets_it_where_its_trunk_says_so(policy, reliable):
    async with staged(near={"prack": policy}) as stage:
        invite = await invited(stage, Supported="timer, 100rel")
        stage.pbx.reply(invite, 180)
        assert bool((await stage.carrier.hear("180")).all("RSeq")) is reliable


async def test_a_caller_that_requires_it_on_a_trunk_that_has_none_is_told():
    async with staged(near={"prack": "never"}) as stage:
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER, **RELIABLE))
        refusal = await stage.carrier.hear("420")
        assert refusal.one("Unsupported") == "100rel"
        stage.carrier.send(ack_of(stage.carrier, refusal))


# --- UPDATE before the answer ---------------------------------------------------------------------


async def test_the_callee_moves_before_it_answers(stage):
    invite = await invited(stage)
    reply(stage, invite, 183, 1, ANSWER)
    stage.pbx.reply(await stage.pbx.hear("PRACK"), 200)
    call = Call.taken(invite)
    stage.pbx.send(stage.pbx.request("UPDATE", call=call, cseq=1, body=MOVED))
    ok = await stage.pbx.hear("200")
    assert (ok.one("CSeq"), ok.body) == ("1 UPDATE", MOVED)  # the bridge of this test echoes
    assert [event.early for event in stage.bridge.kinds(LegReinvited)] == [True]
    stage.pbx.reply(invite, 200)
    await stage.carrier.hear("200")


async def test_the_caller_moves_before_it_is_answered_but_not_before_it_has_an_answer(stage):
    invite = await invited(stage, **RELIABLE)
    stage.pbx.reply(invite, 180)
    ringing = await stage.carrier.hear("180")
    prack(stage.carrier, ringing)
    await stage.carrier.hear("200")
    call = Call.placed(ringing)
    stage.carrier.send(stage.carrier.request("UPDATE", call=call, cseq=3, body=MOVED))
    assert re.fullmatch(r"\d+", (await stage.carrier.hear("500")).one("Retry-After"))
    stage.pbx.reply(invite, 183, body=ANSWER)
    prack(stage.carrier, await stage.carrier.hear("183"), cseq=4)
    await stage.carrier.hear("200")
    stage.carrier.send(stage.carrier.request("UPDATE", call=call, cseq=5, body=MOVED))
    assert (await stage.carrier.hear("200")).one("CSeq") == "5 UPDATE"


async def test_a_ringing_that_nobody_acknowledged_is_not_repeated_after_the_call_is_given_up(stage):
    text = stage.carrier.request("INVITE", body=OFFER, **RELIABLE)
    stage.carrier.send(text)
    invite = await stage.pbx.hear("INVITE")
    stage.pbx.reply(invite, 180)
    ringing = await stage.carrier.hear("180")
    stage.carrier.send(text.replace("INVITE sip", "CANCEL sip", 1).replace("1 INVITE", "1 CANCEL"))
    stage.carrier.send(ack_of(stage.carrier, await stage.carrier.hear("487")))
    stage.pbx.reply(await stage.pbx.hear("CANCEL"), 200)
    stage.pbx.reply(invite, 487)
    heard = stage.carrier.counts[ringing.text]
    await stage.empty()
    assert stage.carrier.counts[ringing.text] == heard


# --- without an offer -----------------------------------------------------------------------------


async def test_a_call_without_an_offer_is_offered_by_the_far_end_and_answered_in_the_ack(stage):
    stage.carrier.send(stage.carrier.request("INVITE"))
    invite = await stage.pbx.hear("INVITE")
    assert invite.body == ""
    assert not invite.all("Content-Type")
    assert "100rel" not in invite.one("Supported")
    stage.pbx.reply(invite, 200, body=OFFER)
    ok = await stage.carrier.hear("200")
    assert ok.body == OFFER
    stage.pbx.reply(invite, 200, body=OFFER)  # repeated: there is no ACK yet
    stage.pbx.never("ACK")
    call = Call.placed(ok)
    stage.carrier.send(stage.carrier.request("ACK", call=call, body=ANSWER))
    ack = await stage.pbx.hear("ACK")
    assert ack.body == ANSWER
    stage.pbx.reply(invite, 200, body=OFFER)
    await stage.pbx.repeated(ack, 2)  # the ACK of a 200 that came again has the answer again
    stage.carrier.send(stage.carrier.request("BYE", call=call, cseq=2))
    stage.pbx.reply(await stage.pbx.hear("BYE"), 200)
    await stage.carrier.hear("200")
    await stage.empty()


async def test_a_caller_without_an_offer_that_never_acknowledges_leaves_nobody_hanging():
    async with staged(timers=QUICK) as stage:
        stage.carrier.send(stage.carrier.request("INVITE"))
        stage.pbx.reply(await stage.pbx.hear("INVITE"), 200, body=OFFER)
        await stage.carrier.hear("200")
        assert (await stage.pbx.hear("ACK")).body == ""
        stage.pbx.reply(await stage.pbx.hear("BYE"), 200)
        stage.carrier.reply(await stage.carrier.hear("BYE"), 200)
        await stage.empty()
