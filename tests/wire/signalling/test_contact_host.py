"""A peer that wants our name in Contact (`contact_host`) gets it, and reaches us by it."""

from __future__ import annotations

import re

from tests.wire.signalling.stage import ANSWER, HELD, staged

NAMED = re.compile(r"<sip:pay\.example:\d+>")


async def test_our_contact_has_our_name_and_what_is_sent_to_it_is_ours():
    async with staged(contact_host="pay.example") as stage:
        _, far = await stage.up()
        invite = next(each for each in stage.pbx.heard if each.what == "INVITE")
        assert NAMED.fullmatch(invite.one("Contact"))
        answer = next(each for each in stage.carrier.heard if each.what == "200")
        assert "pay.example" not in answer.text  # the other trunk knows our address alone
        stage.pbx.send(stage.pbx.request("INVITE", call=far, body=HELD))
        stage.carrier.reply(await stage.carrier.hear("INVITE"), 200, body=ANSWER)
        again = await stage.pbx.hear("200")
        assert NAMED.fullmatch(again.one("Contact"))
        stage.pbx.send(stage.pbx.request("ACK", call=far))
        stage.pbx.send(stage.pbx.request("BYE", call=far, cseq=2))
        stage.carrier.reply(await stage.carrier.hear("BYE"), 200)
        await stage.empty()


async def test_who_calls_is_answered_with_our_name():
    async with staged(near={"contact_host": "pay.example"}) as stage:  # type: ignore[dict-item]
        near, _ = await stage.up()
        answer = next(each for each in stage.carrier.heard if each.what == "200")
        assert NAMED.fullmatch(answer.one("Contact"))
        assert "pay.example" in near.target
        stage.carrier.send(stage.carrier.request("BYE", call=near, cseq=2))
        stage.pbx.reply(await stage.pbx.hear("BYE"), 200)
        await stage.carrier.hear("200")
        await stage.empty()
