"""What the supervisor holds of calls, and calls that a test sets up by hand through a whole
Tonewall."""

from __future__ import annotations

import os
from pathlib import Path

from b2bua.switchboard.call_slots import CallSlots
from tests.complaints import expect_error, permit_error
from tests.stack import PATIENCE, Stack, until
from tests.wire.sip_peer import SDP, Call, Heard, SipPeer

OFFER, ANSWER = SDP.format("near"), SDP.format("far")


def kept(stack: Stack) -> list[bytes]:
    """The calls that the next b2bua would take up, as they are written."""
    [b2bua] = stack.pids()["b2bua"]
    for each in Path(f"/proc/{b2bua}/fd").iterdir():
        if "memfd:tonewall-calls" in os.readlink(each):
            number = os.open(each, os.O_RDONLY)
            try:
                return [each.data for each in CallSlots(number).read()]
            finally:
                os.close(number)
    raise AssertionError("b2bua has no file of calls")


async def b2bua_killed(stack: Stack, calls: int, knows: str = "") -> None:
    """kill -9 once so many calls are kept, with this text in one of them; return when the next
    b2bua is there."""

    def written() -> bool:
        found = kept(stack)
        return len(found) == calls and any(knows.encode() in each for each in found)

    await until(written, f"{calls} calls to be kept")
    [before] = stack.kill("b2bua")
    expect_error("restarting", child="b2bua")
    permit_error("bad_frame_from_media")
    await stack.await_restart(before)


async def ring(carrier: SipPeer, pbx: SipPeer) -> tuple[Heard, Heard]:
    """The carrier calls, the PBX rings: the INVITE at the PBX, and the 180 at the carrier."""
    carrier.send(carrier.request("INVITE", body=OFFER))
    invite = await pbx.hear("INVITE", PATIENCE)
    pbx.reply(invite, 180)
    return invite, await carrier.hear("180", PATIENCE)


async def answer(carrier: SipPeer, pbx: SipPeer, invite: Heard) -> tuple[Call, Call]:
    """The PBX answers: the call as the carrier and as the PBX have it."""
    pbx.reply(invite, 200, body=ANSWER)
    ok = await carrier.hear("200", PATIENCE)
    near = Call.placed(ok)
    carrier.send(carrier.request("ACK", call=near))
    await pbx.hear("ACK", PATIENCE)
    return near, Call.taken(invite)


def cancel(carrier: SipPeer, ringing: Heard) -> None:
    """The carrier's CANCEL of the INVITE that this 180 is for."""
    given = {name: ringing.one(name) for name in ("From", "Call-ID")}
    via = ringing.one("Via").replace(f";rport={carrier.port}", ";rport")
    text = carrier.request("CANCEL", Via=via, To=ringing.one("To").partition(";tag=")[0], Contact="", **given)
    carrier.send(text)
