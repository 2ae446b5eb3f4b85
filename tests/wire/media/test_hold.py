"""Hold in every form, by either end, while a card is keyed: the mask stays, the digits are
complete, the agent gets no event."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.canary import CANARY
from tests.wire.handmade import offer
from tests.wire.media.renegotiation import FORMS, direction, renegotiated, spoken
from tests.wire.paying import charged, digits_sha256
from tests.wire.scene import Scene, events, scene

# What is answered to each, and whether the customer's telephone sends while it holds so itself (RFC
# 3264 section 5.1).
ANSWERED = {"sendonly": "recvonly", "inactive": "inactive", "recvonly": "sendonly"}
SENDS = {"sendonly", "sendonly for the session"}


async def held_alone(at: Scene, form: str, cseq: int, method: str = "INVITE") -> None:
    """The PBX holds, and is answered by Tonewall: the customer's side hears nothing of it."""
    at.pbx.send(at.pbx.request(method, call=at.agent, cseq=cseq, body=FORMS[form](offer(at.old.port, "old"))))
    answer = await at.pbx.hear("200")
    if not form.startswith("nowhere"):
        assert f"a={ANSWERED[form.split(maxsplit=1)[0]]}\r\n" in answer.body
    if method == "INVITE":
        at.pbx.send(at.pbx.request("ACK", call=at.agent, cseq=cseq))
    at.carrier.never("INVITE", "UPDATE")


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("form", [form for form in FORMS if form != "recvonly"])
async def test_a_hold_by_the_pbx_while_a_card_is_keyed_is_kept_from_the_customer(
    tmp_path: Path, form: str, method: str
) -> None:
    async with scene(tmp_path) as at:
        keys = CANARY.keys
        await at.stack.start_capture(at.call_id)
        await at.customer.key(keys[:5])
        await held_alone(at, form, 2, method)
        await at.customer.key(keys[5:8])
        at.pbx.send(at.pbx.request("INVITE", call=at.agent, cseq=3, body=offer(at.old.port, "old")))
        assert "recvonly" not in (await at.pbx.hear("200")).body
        at.pbx.send(at.pbx.request("ACK", call=at.agent, cseq=3))
        await at.customer.key(keys[8:])
        await paid(at)
        at.carrier.never("INVITE", "UPDATE")


async def test_a_hold_that_still_stands_is_offered_on_when_the_mask_is_off(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.stack.start_capture(at.call_id)
        await at.customer.key(CANARY.keys[:5])
        await held_alone(at, "sendonly", 2)
        await at.customer.key(CANARY.keys[5:])
        await at.stack.stage(at.call_id, "ready")
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        await offered_on(at)
        assert events(at.old) == 0
        await at.end(at.agent)


async def offered_on(at: Scene) -> None:
    """The customer's side hears of the hold, once its line is open."""
    asked = await at.carrier.hear("INVITE")
    assert "a=sendonly\r\n" in asked.body
    assert not (await at.stack.call(at.call_id))["masked"]
    at.carrier.reply(asked, 200, body=direction("recvonly")(offer(at.customer.media.port)))
    await at.carrier.hear("ACK")


async def test_a_payment_that_begins_on_hold_takes_the_customer_off_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        ours = {"agent": offer(at.old.port, "old"), "customer": offer(at.customer.media.port)}
        recvonly = direction("recvonly")(ours["customer"])
        held = direction("sendonly")(ours["agent"])
        assert "a=sendonly\r\n" in await renegotiated(at.pbx, at.agent, 2, held, at.carrier, recvonly)
        await at.stack.start_capture(at.call_id)
        asked = await at.carrier.hear("INVITE")
        assert "sendonly" not in asked.body
        at.carrier.reply(asked, 200, body=ours["customer"])
        await at.carrier.hear("ACK")
        await at.customer.key(CANARY.keys)  # the telephone sends, since it may again
        await at.stack.stage(at.call_id, "ready")
        await at.end(at.agent)


@pytest.mark.parametrize("form", FORMS)
async def test_a_hold_by_the_customer_changes_nothing_for_a_card(tmp_path: Path, form: str) -> None:
    async with scene(tmp_path) as at:
        keys, ours = (
            CANARY.keys,
            {"agent": offer(at.old.port, "old"), "customer": offer(at.customer.media.port)},
        )
        await at.stack.start_capture(at.call_id)
        await at.customer.key(keys[:5])
        held = FORMS[form](ours["customer"])
        asked = await renegotiated(at.carrier, at.near, 2, held, at.pbx, ours["agent"])
        nowhere = form.startswith("nowhere")
        mark = "c=IN IP4 0.0.0.0" if nowhere else f"a={form.split(maxsplit=1)[0]}"
        # The form crosses as it came, an address in the family that the leg has.
        assert f"{mark}\r\n" in asked
        sends = 8 if form in SENDS else 5
        await at.customer.key(keys[5:sends])
        await renegotiated(at.carrier, at.near, 3, ours["customer"], at.pbx, ours["agent"])
        await at.customer.key(keys[sends:])
        await paid(at)


@pytest.mark.parametrize("who", ["agent", "customer"])
async def test_a_hold_without_an_offer_crosses_and_so_does_its_end(tmp_path: Path, who: str) -> None:
    async with scene(tmp_path) as at:
        keys, ours = (
            CANARY.keys,
            {"agent": offer(at.old.port, "old"), "customer": offer(at.customer.media.port)},
        )
        ends = {"agent": (at.pbx, at.agent), "customer": (at.carrier, at.near)}
        asker, call = ends[who]
        rest = "customer" if who == "agent" else "agent"
        other = ends[rest][0]

        async def says(cseq: int, answer: str, theirs: str) -> str:
            """Ask for an offer and answer it with the ACK. What the other end was offered
            thereupon."""
            asker.send(asker.request("INVITE", call=call, cseq=cseq))
            offered = await asker.hear("200")
            assert "a=recvonly" not in offered.body  # who holds may end it
            asker.send(asker.request("ACK", call=call, cseq=cseq, body=answer))
            asked = await other.hear("INVITE")
            other.reply(asked, 200, body=theirs)
            await other.hear("ACK")
            return asked.body

        held = direction("sendonly")(ours[who])
        if who == "customer":  # a hold by the agent's side is kept from the customer's
            await at.stack.start_capture(at.call_id)
            await at.customer.key(keys[:5])
        assert "a=sendonly\r\n" in await says(2, held, direction("recvonly")(ours[rest]))
        if who == "customer":
            await at.customer.key(keys[5:8])
        assert "a=sendonly" not in await says(3, ours[who], ours[rest])
        if who == "agent":
            await at.stack.start_capture(at.call_id)
        await at.customer.key(keys[8:] if who == "customer" else keys)
        await paid(at)


async def test_a_hold_in_an_answer_by_the_pbx_is_kept_from_the_customer_too(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.stack.start_capture(at.call_id)
        await at.customer.key(CANARY.keys[:5])
        at.pbx.send(at.pbx.request("INVITE", call=at.agent, cseq=2))
        await at.pbx.hear("200")
        held = direction("sendonly")(offer(at.old.port, "old"))
        at.pbx.send(at.pbx.request("ACK", call=at.agent, cseq=2, body=held))
        await at.customer.key(CANARY.keys[5:])
        at.carrier.never("INVITE", "UPDATE")
        await at.stack.stage(at.call_id, "ready")
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        await offered_on(at)
        await at.end(at.agent)


@pytest.mark.parametrize("who", ["agent", "customer"])
async def test_who_takes_the_port_away_ends_the_capture_and_another_may_begin(
    tmp_path: Path, who: str
) -> None:
    async with scene(tmp_path) as at:
        ours = {"agent": offer(at.old.port, "old"), "customer": offer(at.customer.media.port)}
        ends = {"agent": (at.pbx, at.agent), "customer": (at.carrier, at.near)}
        asker, call = ends[who]
        rest = "customer" if who == "agent" else "agent"
        gone = {name: re.sub(r"m=audio [0-9]+", "m=audio 0", body) for name, body in ours.items()}
        await at.stack.start_capture(at.call_id)
        await at.customer.key(CANARY.keys[:5])
        assert "m=audio 0 " in await renegotiated(asker, call, 2, gone[who], ends[rest][0], gone[rest])
        await at.stack.stage(at.call_id, "aborted")
        await renegotiated(asker, call, 3, ours[who], ends[rest][0], ours[rest])
        await at.stack.start_capture(at.call_id)
        await at.customer.key(CANARY.keys)
        await at.stack.stage(at.call_id, "ready")
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        assert events(at.old) == 0
        await at.end(at.agent)


async def paid(at: Scene) -> None:
    """The card is whole: it is charged, the agent's side has got no event of it, the customer is
    heard again."""
    await at.stack.stage(at.call_id, "ready")
    assert (await at.stack.submit(at.call_id))["type"] == "approved"
    assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
    assert events(at.old) == 0
    await spoken(at)
    await at.end(at.agent)
