"""Transfers on the wire through a whole Tonewall: every SIP line and every packet of the peers is
the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.canary import CANARY
from tests.stack import until
from tests.wire.handmade import offer
from tests.wire.scene import events, scene, wanted
from tests.wire.sip_peer import Call


@pytest.mark.parametrize("leaves_early", [False, True])
async def test_a_card_is_keyed_across_a_blind_transfer_and_no_agent_gets_an_event(
    tmp_path: Path, *, leaves_early: bool
) -> None:
    async with scene(tmp_path) as at:
        await at.stack.start_capture(at.call_id)
        keys = CANARY.keys
        await at.customer.key(keys[:6])
        at.refer(Referred_By="<sip:500@pbx.example>")
        await at.pbx.hear("202")
        await at.notified(100)
        if leaves_early:
            at.pbx.send(at.pbx.request("BYE", call=at.agent, cseq=2))
            await at.pbx.hear("200")
        await at.customer.key(keys[6:9])
        invite = await at.pbx.hear("INVITE")
        assert (invite.uri.partition("@")[0], invite.one("Referred-By")) == (
            "sip:600",
            "<sip:500@pbx.example>",
        )
        assert "Ann" in invite.one("From")
        if not leaves_early:
            at.pbx.reply(invite, 180, tag="new")
            await at.notified(180)
        at.pbx.reply(invite, 200, tag="new", body=offer(at.new.port, "new") + "a=ptime:20\r\n")
        again = await at.carrier.hear("INVITE")
        at.carrier.reply(again, 200, body=offer(at.customer.media.port))
        await at.carrier.hear("ACK")
        if not leaves_early:
            await at.notified(200, "terminated")
            bye = await at.pbx.hear("BYE")
            assert bye.one("Call-ID") == at.agent.call_id
            at.pbx.reply(bye, 200)
        await at.paid(keys[9:])
        await at.end(Call.taken(invite, "new"))
        assert (events(at.old), events(at.new)) == (0, 0)
        assert len(at.old.rtp.heard) > 0
        assert {view["id"] for view in await at.stack.calls()} <= {at.call_id}


async def test_a_refused_transfer_leaves_the_two_talking(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        at.refer()
        await at.pbx.hear("202")
        await at.notified(100)
        at.pbx.reply(await at.pbx.hear("INVITE"), 486, tag="busy")
        await at.notified(486, "terminated")
        heard = len(at.old.rtp.heard)
        await at.customer.play([at.customer.speech() for _ in range(5)])
        await until(lambda: len(at.old.rtp.heard) > heard, "speech at the old agent's phone")
        at.carrier.never("INVITE", "BYE")
        await at.end(at.agent)


async def test_a_consultation_within_the_pbx_is_asked_for_by_its_replaces(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        replaces = "12%40pbx%3Bto-tag%3Dt1%3Bfrom-tag%3Df1"
        at.refer(f"<sip:600@pbx.example?Replaces={replaces}>", Refer_Sub="false")
        assert (await at.pbx.hear("202")).one("Refer-Sub") == "false"
        invite = await at.pbx.hear("INVITE")
        assert (invite.one("Replaces"), invite.one("Require")) == ("12@pbx;to-tag=t1;from-tag=f1", "replaces")
        at.pbx.unread.append(invite)
        new = await at.taken(offer(at.new.port, "new") + "a=ptime:20\r\n")
        bye = await at.pbx.hear("BYE")
        at.pbx.reply(bye, 200)
        at.pbx.never("NOTIFY")
        await at.end(new)


@pytest.mark.parametrize(
    ("to", "code"),
    [("", "400"), ("<sip:1@h>, <sip:2@h>", "400"), ("<mailto:a@b>", "400"), ("<sip:1@h;method=BYE>", "400"),
     ("<sip:1@h?Replaces=x>", "400"), ("<sip:pbx.example>", "404")],
)  # fmt: skip
async def test_a_refer_to_that_asks_for_no_call_is_refused(tmp_path: Path, to: str, code: str) -> None:
    async with scene(tmp_path) as at:
        at.refer(to)
        await at.pbx.hear(code)
        at.pbx.never("NOTIFY", "202")
        await at.end(at.agent)


TEAMS = "sip:sip.pstnhub.example:5061;transport=tls;x-m=8:orgid:00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("to", "uri", "lines"),
    [
        (f"<{TEAMS}>", TEAMS, {}),
        (f"<{TEAMS}?X-Tenant=7&Subject=a%20b>", TEAMS, {"X-Tenant": "7", "Subject": "a b"}),
        ("<sip:600@pbx.example;transport=tcp;x-m=1;x=a=b>", "sip:600@127.0.0.1:{port};x-m=1;x=a=b", {}),
        ("<SIP:+49600;ext=7@pbx.example;user=phone>", "sip:+49600;ext=7@127.0.0.1:{port};user=phone", {}),
        ("<sip:600@pbx.example?Via=evil&Route=%3Csip:evil%3E&Call-ID=x>", "sip:600@127.0.0.1:{port}", {}),
    ],
)
async def test_a_refer_to_is_called_as_it_was_written(
    tmp_path: Path, to: str, uri: str, lines: dict[str, str]
) -> None:
    async with scene(tmp_path, pbx_keys={"trust": "yes", "x_headers": "X-Tenant"}) as at:
        by = "<sip:sip.pstnhub.example:5061;x-m=8:orgid:00000000-0000-4000-8000-000000000002;x-t=1;x-ti=4;x-tt=aHR0cHM6Ly8%3D>"  # noqa: E501
        at.refer(to, Referred_By=by)
        await at.pbx.hear("202")
        invite = await at.pbx.hear("INVITE")
        assert invite.uri == uri.format(port=at.pbx.port)
        assert invite.one("Referred-By") == by
        assert {name: invite.one(name) for name in lines} == lines
        assert "evil" not in invite.text
        at.pbx.reply(invite, 486, tag="new")
        await at.end(at.agent)


async def test_who_may_not_refer_and_what_is_subscribed(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        to = {"Refer_To": "<sip:600@pbx.example>"}
        at.carrier.send(at.carrier.request("REFER", call=at.near, cseq=2, **to))
        await at.carrier.hear("603")
        for peer in (at.carrier, at.pbx):
            peer.send(peer.request("REFER", **to))
            await peer.hear("403")
        at.pbx.send(at.pbx.request("SUBSCRIBE", call=at.agent, cseq=2, Event="kpml"))
        assert (await at.pbx.hear("489")).one("Allow-Events") == "refer"
        at.pbx.send(at.pbx.request("SUBSCRIBE", call=at.agent, cseq=3, Event="refer"))
        await at.pbx.hear("481")
        at.refer(cseq=4)
        await at.notified(100)
        at.pbx.send(at.pbx.request("SUBSCRIBE", call=at.agent, cseq=5, Event="refer", Expires="0"))
        await at.notified(100, "terminated;reason=timeout")
        at.pbx.reply(await at.pbx.hear("INVITE"), 603, tag="no")
        await at.customer_says("OPTIONS", 3)
        assert sum(message.what == "NOTIFY" for message in at.pbx.heard) == 2
        await at.end(at.agent)


async def test_a_notify_that_is_refused_ends_the_subscription_and_nothing_else(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        at.refer()
        at.pbx.reply(await at.pbx.hear("NOTIFY"), 481)
        invite = await at.pbx.hear("INVITE")
        at.pbx.reply(invite, 486, tag="busy")
        await at.pbx.hear("ACK")
        await at.customer_says("OPTIONS", 3)
        assert sum(message.what == "NOTIFY" for message in at.pbx.heard) == 1
        await at.end(at.agent)


async def test_a_subscription_is_refreshed_told_how_far_it_is_and_its_end_comes_as_before(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        at.refer()
        first = await at.notified(100)
        for cseq in (2, 3):
            at.pbx.send(at.pbx.request("SUBSCRIBE", call=at.agent, cseq=cseq, Event="refer", Expires="60"))
            granted = await at.pbx.hear("200")
            assert (granted.one("CSeq"), granted.one("Expires")) == (f"{cseq} SUBSCRIBE", "300")
            again = await at.notified(100, "active;expires=300")
            assert int(again.one("CSeq").split()[0]) > int(first.one("CSeq").split()[0])
        invite = await at.pbx.hear("INVITE")
        at.pbx.reply(invite, 486, tag="busy")
        await at.notified(486, "terminated;reason=noresource")
        at.pbx.send(at.pbx.request("SUBSCRIBE", call=at.agent, cseq=4, Event="refer"))
        await at.pbx.hear("481")  # it is over
        await at.end(at.agent)


# --- INVITE with Replaces (RFC 3891) --------------------------------------------------------------


async def test_a_card_is_keyed_across_an_attended_transfer_that_another_phone_calls_for(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        await at.stack.start_capture(at.call_id)
        keys = CANARY.keys
        await at.customer.key(keys[:8])
        body = offer(at.new.port, "new")
        at.pbx.send(at.pbx.request("INVITE", body=body, Replaces=wanted(at.agent), Require="replaces"))
        again = await at.carrier.hear("INVITE")
        assert again.one("Call-ID") == at.near.call_id, "the carrier's leg stays"
        at.carrier.reply(again, 200, body=offer(at.customer.media.port))
        answer = await at.pbx.hear("200")
        new = Call.placed(answer)
        at.pbx.send(at.pbx.request("ACK", call=new))
        bye = await at.pbx.hear("BYE")
        assert bye.one("Call-ID") == at.agent.call_id
        at.pbx.reply(bye, 200)
        await at.paid(keys[8:])
        assert (events(at.old), events(at.new)) == (0, 0)
        ladder = (await at.stack.api.get(f"/v1/calls/{at.call_id}/ladder")).json()
        invites = [
            entry for entry in ladder["entries"] if entry.get("method") == "INVITE" and not entry["code"]
        ]
        assert [invite["leg"] for invite in invites] == [0, 1, 2, 0]
        await at.end(new)


async def test_who_may_not_have_a_place_is_told_why_and_the_call_goes_on(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        body = offer(at.new.port, "new")
        for value, code in (
            (wanted(at.agent, ";early-only"), "486"),
            ("nobody@pbx;to-tag=a;from-tag=b", "481"),
            (wanted(at.near), "481"),  # a dialog of the carrier's: for the PBX there is none
            ("half;to-tag=a", "400"),
        ):
            at.pbx.send(at.pbx.request("INVITE", body=body, Replaces=value))
            await at.pbx.hear(code)
        at.carrier.send(at.carrier.request("INVITE", body=body, Replaces=wanted(at.near)))
        await at.carrier.hear("403")
        # Without an offer there is nothing to agree on.
        at.pbx.send(at.pbx.request("INVITE", Replaces=wanted(at.agent)))
        await at.pbx.hear("488")
        at.pbx.send(at.pbx.request("INVITE", body=body, Replaces=wanted(at.agent)))
        again = await at.carrier.hear("INVITE")
        at.carrier.reply(again, 488)
        await at.pbx.hear("488")
        await at.customer_says("OPTIONS", 3)
        await at.end(at.agent)
