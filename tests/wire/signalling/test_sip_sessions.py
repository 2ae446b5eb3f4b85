"""Session timers and UPDATE on the wire: either side refreshes, nobody else is troubled, and what
nobody refreshes ends."""

from __future__ import annotations

import pytest

from b2bua.call.leg import LegHungUp, LegReinvited
from tests.wire.signalling.stage import ANSWER, HELD, OFFER, Stage, ack_of, staged
from tests.wire.sip_bridge import until
from tests.wire.sip_peer import SDP, Call

# Seconds; what RFC 4028 allows would take a minute and a half.
BRIEF = {
    "session_expires": 2,
    "session_minimum": 1,
}


async def dialled(stage: Stage, answer: dict[str, str], **headers: str) -> tuple[Call, Call]:
    """A call with these headers in the carrier's INVITE, and those in the PBX's 200."""
    stage.carrier.send(stage.carrier.request("INVITE", body=OFFER, **headers))
    invite = await stage.pbx.hear("INVITE")
    stage.pbx.reply(invite, 200, body=ANSWER, **answer)
    near = Call.placed(await stage.carrier.hear("200"))
    stage.carrier.send(stage.carrier.request("ACK", call=near))
    await stage.pbx.hear("ACK")
    return near, Call.taken(invite)


async def test_we_ask_for_a_timer_and_refresh_by_update_where_the_far_end_knows_it():
    async with staged(**BRIEF) as stage:
        await dialled(
            stage, {"Session_Expires": "2;refresher=uac", "Allow": "INVITE, UPDATE", "Require": "timer"}
        )
        invite = stage.pbx.heard[0]
        assert "timer" in invite.one("Supported")
        assert (invite.one("Session-Expires"), invite.one("Min-SE")) == ("2", "1")
        for _ in range(2):
            update = await stage.pbx.hear("UPDATE")
            assert update.body == ""
            assert update.one("Session-Expires") == "2;refresher=uac"
            stage.pbx.reply(update, 200, Session_Expires="2;refresher=uac")
        stage.carrier.never("UPDATE", "INVITE", "BYE")
        assert stage.bridge.kinds(LegReinvited) == []


async def test_without_update_we_refresh_by_a_reinvite_that_offers_what_runs():
    async with staged(**BRIEF) as stage:
        await dialled(stage, {"Session_Expires": "2;refresher=uac", "Allow": "INVITE, ACK, BYE, CANCEL"})
        invite = await stage.pbx.hear("INVITE")
        assert invite.body == OFFER
        stage.pbx.reply(invite, 200, body=ANSWER, Session_Expires="2;refresher=uac")
        await stage.pbx.hear("ACK")
        stage.carrier.never("INVITE", "BYE")


async def test_an_update_that_is_refused_is_tried_as_a_reinvite():
    async with staged(**BRIEF) as stage:
        await dialled(stage, {"Session_Expires": "2;refresher=uac", "Allow": "INVITE, UPDATE"})
        stage.pbx.reply(await stage.pbx.hear("UPDATE"), 405, Allow="INVITE")
        invite = await stage.pbx.hear("INVITE")
        stage.pbx.reply(invite, 200, body=ANSWER, Session_Expires="2;refresher=uac")
        await stage.pbx.hear("ACK")


async def test_a_session_that_the_far_end_was_to_refresh_and_did_not_is_over_for_both():
    async with staged(**BRIEF) as stage:
        await dialled(stage, {"Session_Expires": "2;refresher=uas"})
        stage.pbx.reply(await stage.pbx.hear("BYE"), 200)
        stage.carrier.reply(await stage.carrier.hear("BYE"), 200)
        assert LegHungUp("session expired") in stage.bridge.kinds(LegHungUp)
        await stage.empty()


async def test_a_session_whose_refresh_meets_silence_is_over():
    async with staged(**BRIEF) as stage:
        await dialled(stage, {"Session_Expires": "2;refresher=uac", "Allow": "INVITE, UPDATE"})
        await stage.pbx.hear("UPDATE")
        await stage.pbx.hear("BYE")
        await stage.carrier.hear("BYE")


async def test_a_caller_refreshes_and_the_other_side_hears_nothing_of_it():
    async with staged() as stage:
        near, _ = await dialled(
            stage,
            {},
            Supported="timer",
            Session_Expires="1800;refresher=uac",
            Min_SE="90",
            Allow="INVITE, UPDATE",
        )
        [ok] = [message for message in stage.carrier.heard if message.what == "200"]
        assert ok.one("Session-Expires") == "1800;refresher=uac"
        assert ok.one("Require") == "timer"
        stage.carrier.send(
            stage.carrier.request(
                "UPDATE", call=near, cseq=2, Supported="timer", Session_Expires="1800;refresher=uac"
            )
        )
        assert (await stage.carrier.hear("200")).one("Session-Expires") == "1800;refresher=uac"
        stage.carrier.send(stage.carrier.request("INVITE", call=near, cseq=3, body=OFFER, Supported="timer"))
        assert (await stage.carrier.hear("200")).body == ANSWER
        stage.carrier.send(stage.carrier.request("ACK", call=near, cseq=3))
        await until(lambda: stage.bridge.engine.open_legs == 2)
        stage.pbx.never("UPDATE")
        assert [message.what for message in stage.pbx.heard] == ["INVITE", "ACK"]


async def test_an_interval_that_is_too_brief_gets_422_and_one_of_ours_is_asked_again():
    async with staged(session_expires=1800) as stage:
        text = stage.carrier.request("INVITE", body=OFFER, Supported="timer", Session_Expires="60")
        stage.carrier.send(text)
        refused = await stage.carrier.hear("422")
        assert refused.one("Min-SE") == "90"
        stage.carrier.send(ack_of(stage.carrier, refused))
        stage.pbx.never("INVITE")
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        first = await stage.pbx.hear("INVITE")
        stage.pbx.reply(first, 422, Min_SE="3600")
        second = await stage.pbx.hear("INVITE")
        assert (second.one("Session-Expires"), second.one("Min-SE")) == ("3600", "3600")
        assert second.one("Call-ID") == first.one("Call-ID")
        stage.pbx.reply(second, 422, Min_SE="3600")  # nothing more that we could do about it
        assert (await stage.carrier.hear("422")).what == "422"


async def test_a_peer_for_which_no_interval_is_long_enough_ends_the_call():
    async with staged(session_expires=1800) as stage:
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        for tries in range(1, 6):
            stage.pbx.reply(await stage.pbx.hear("INVITE"), 422, Min_SE=str(3600 * tries))
        await stage.carrier.hear("422")


@pytest.mark.parametrize("line", ["soon", "1800;refresher=nobody", "0"])
async def test_a_session_timer_that_cannot_be_read_is_a_400(line):
    async with staged() as stage:
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER, Session_Expires=line))
        await stage.carrier.hear("400")
        assert stage.bridge.engine.open_dialogs == 0


async def test_an_update_with_an_offer_crosses_and_is_answered_by_the_far_end():
    async with staged() as stage:
        near, far = await dialled(stage, {})
        for peer, other, call in ((stage.carrier, stage.pbx, near), (stage.pbx, stage.carrier, far)):
            peer.send(peer.request("UPDATE", call=call, cseq=7, body=HELD))
            invite = await other.hear("INVITE")
            assert invite.body == HELD
            other.reply(invite, 200, body=SDP.format("resumed"))
            answer = await peer.hear("200")
            assert (answer.body, answer.one("CSeq")) == (SDP.format("resumed"), "7 UPDATE")
            await other.hear("ACK")


async def test_an_update_that_carries_something_else_than_sdp_is_refused():
    async with staged() as stage:
        near, _ = await dialled(stage, {})
        text = stage.carrier.request(
            "UPDATE", call=near, cseq=7, body="Signal=5", Content_Type="application/dtmf-relay"
        )
        stage.carrier.send(text)
        await stage.carrier.hear("415")
        assert [message.what for message in stage.pbx.heard] == ["INVITE", "ACK"]
