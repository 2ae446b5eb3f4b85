"""Hold in every form, by either end, while a card is keyed: the mask stays, the digits are complete, the agent gets no event."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.canary import CANARY
from tests.stack import until
from tests.wire.handmade import offer
from tests.wire.paying import charged, digits_sha256
from tests.wire.sip_peer import Call, SipPeer
from tests.wire.test_transfer import Scene, events, scene


def direction(name: str) -> Callable[[str], str]:
    return lambda body: f"{body}a={name}\r\n"


# RFC 3264 section 8.4, RFC 2543 section B.5, and the port that some PBXs take away.
FORMS = {
    "sendonly": direction("sendonly"),
    "inactive": direction("inactive"),
    "recvonly": direction("recvonly"),
    "nowhere": lambda body: body.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0"),
    "inactive for the session": lambda body: body.replace("t=0 0\r\n", "t=0 0\r\na=inactive\r\n"),
}


async def renegotiated(asker: SipPeer, call: Call, cseq: int, body: str, other: SipPeer, answer: str) -> str:
    """A re-INVITE from one end to the other and back. What the other end was offered."""
    asker.send(asker.request("INVITE", call=call, cseq=cseq, body=body))
    asked = await other.hear("INVITE")
    other.reply(asked, 200, body=answer)
    await other.hear("ACK")
    await asker.hear("200")
    asker.send(asker.request("ACK", call=call, cseq=cseq))
    return asked.body


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("who", ["agent", "customer"])
async def test_a_hold_changes_nothing_for_a_card(tmp_path: Path, form: str, who: str) -> None:
    async with scene(tmp_path) as at:
        keys, ours = CANARY.keys, {"agent": offer(at.old.port, "old"), "customer": offer(at.customer.media.port)}
        ends = {"agent": (at.pbx, at.agent), "customer": (at.carrier, at.near)}
        asker, call = ends[who]
        rest = "customer" if who == "agent" else "agent"
        await at.stack.start_capture(at.call_id)
        await at.customer.key(keys[:5])
        held = FORMS[form](ours[who])
        asked = await renegotiated(asker, call, 2, held, ends[rest][0], ours[rest])
        mark = {"nowhere": "0.0.0.0"}.get(form, f"a={form.split(maxsplit=1)[0]}")
        assert mark in asked  # the form crosses as it came
        sends = (
            8 if (who, form) != ("customer", "nowhere") else 5
        )  # from nowhere nothing is taken; else many go on sending
        await at.customer.key(keys[5:sends])
        await renegotiated(asker, call, 3, ours[who], ends[rest][0], ours[rest])
        await at.customer.key(keys[sends:])
        await at.stack.stage(at.call_id, "ready")
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
        assert events(at.old) == 0
        await spoken(at)
        await at.end(at.agent)


async def spoken(at: Scene) -> None:
    """After it all the customer is heard again."""
    heard = len(at.old.rtp.heard)
    await at.customer.play([at.customer.speech() for _ in range(5)])
    await until(lambda: len(at.old.rtp.heard) > heard, "speech at the agent's phone")
