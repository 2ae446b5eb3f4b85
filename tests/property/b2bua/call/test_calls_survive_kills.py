"""b2bua dies without a word at any moment of a call's set-up, once it was kept: its successor goes
on with it, or ends it towards both peers, and nothing is left of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from b2bua.switchboard.call_slots import CallSlots
from b2bua.switchboard.checkpoints import SOON
from tests.kept_paper import Killed
from tests.paper import played
from tests.paper_steps import APART, STEPS

KILLS = 3  # so many in a row are no reason to drop a call
SETTING_UP = (
    "ring", "ring reliably", "answer", "refuse", "fail over", "challenge", "cancel", "a moment", "a while",
    "carrier pracks", "carrier acknowledges", "carrier repeats itself", "pbx says yes", "pbx hangs up",
)  # fmt: skip
SCRIPTS = st.tuples(
    st.sampled_from([
        (), ("ring",), ("ring", "answer"), ("ring reliably", "pbx says yes", "carrier pracks"), ("challenge",)
    ]),
    st.lists(st.sampled_from(SETTING_UP), max_size=6),
).map(lambda parts: [*parts[0], *parts[1]])  # fmt: skip


async def take(world: Killed, step: Any) -> None:
    """One step, and what follows from it at once."""
    await world.settle()
    if isinstance(step, float):
        await asyncio.sleep(step)
    else:
        step(world)
    await world.settle()


async def play(script: list[str], killed_after: set[int]) -> Killed:
    world: Any = Killed()
    try:
        await world.begin()
        world.carrier.dial()
        for number, name in enumerate(["", *script]):
            if name:
                await take(world, STEPS[name])
            await asyncio.sleep(SOON + APART)
            if number in killed_after:
                up = len(world.board.calls())
                assert await world.die() >= up
                await world.settle()
                event("taken up" if up else "over")
        await world.finish()
        assert not any(world.left().values()), world.left()
        assert list(CallSlots(world.file).read()) == []
        return world
    finally:
        world.close()


# A call that is answered, and is up at one peer alone.
@example(script=["ring", "answer"], killed_after={1})
@example(script=["answer"], killed_after={1})
@example(script=["ring reliably", "pbx says yes", "carrier pracks", "answer"], killed_after={1, 2, 3})
@example(script=["challenge", "ring", "answer"], killed_after={1})
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=SCRIPTS, killed_after=st.sets(st.integers(0, 8), min_size=1, max_size=KILLS))
def test_the_peers_of_a_call_go_on_or_know_that_it_is_over(script: list[str], killed_after: set[int]) -> None:
    world = played(lambda: play(script, killed_after))
    carrier, pbx = world.carrier, world.pbx
    assert world.records  # more than one, where the INVITE came again after the call was over
    finals = {data.split(b" ")[1] for data in world.sent(carrier.host, "SIP/2.0 ") if b" INVITE\r\n" in data}
    assert any(code >= b"200" for code in finals)
    for phone in (carrier, pbx):
        assert not phone.asked
        assert not phone.answers


@pytest.mark.parametrize(
    ("before", "after", "carrier_gets", "pbx_gets"),
    [
        (["ring"], ["answer"], "SIP/2.0 200 ", "ACK "),
        ([], ["answer"], "SIP/2.0 200 ", "ACK "),
        (["ring reliably", "carrier pracks"], ["answer"], "SIP/2.0 200 ", "ACK "),
        (["challenge", "ring"], ["answer"], "SIP/2.0 200 ", "ACK "),
        (["ring"], ["refuse"], "SIP/2.0 486 ", "ACK "),
        (["ring"], ["cancel"], "SIP/2.0 487 ", "CANCEL "),
        (["ring", "carrier pracks"], ["a minute"] * 2, "SIP/2.0 480 ", "CANCEL "),
    ],
)
def test_what_comes_after_a_kill_reaches_the_other_peer(
    before: list[str], after: list[str], carrier_gets: str, pbx_gets: str
) -> None:
    async def story() -> None:
        world: Any = Killed()
        try:
            await world.begin()
            world.carrier.dial()
            for name in (*before, "a moment"):
                await take(world, STEPS[name])
            assert await world.die() == 1
            world.said.clear()
            for step in after:
                await take(world, STEPS[step])
            assert world.sent(world.carrier.host, carrier_gets)
            assert world.sent(world.pbx.host, pbx_gets)
            assert world.board._context.limiter.taken == (2 if "200" in carrier_gets else 0)
            await world.finish()
            assert not any(world.left().values()), world.left()
        finally:
            world.close()

    played(story)


def test_an_answer_that_waits_for_media_is_sent_by_the_next_process() -> None:
    async def story() -> None:
        world: Any = Killed()
        try:
            await world.begin()
            world.carrier.dial()
            for name in ("ring", "a moment"):
                await take(world, STEPS[name])
            world._answer = lambda: None  # media is slow
            STEPS["answer"](world)
            world.signalling.deliver_events()
            assert not world.sent(world.carrier.host, "SIP/2.0 200 ")
            del world._answer
            assert await world.die() == 1
            await world.settle()
            assert world.sent(world.carrier.host, "SIP/2.0 200 ")
            await world.finish()
            assert not any(world.left().values()), world.left()
        finally:
            world.close()

    played(story)


def test_the_session_timer_of_a_call_goes_on() -> None:
    async def story() -> None:
        world: Any = Killed()
        try:
            await world.begin()
            world.carrier.dial()
            for name in ("ring", "carrier pracks", "answer", "carrier acknowledges", "a moment", "a moment"):
                await take(world, STEPS[name])
            assert await world.die() == 1
            await take(world, STEPS["half a session"])
            assert world.board.calls()[0].state == "up"
            await take(world, STEPS["half a session"])  # its carrier has not refreshed it
            assert world.board.calls() == []
            assert world.sent(world.carrier.host, "BYE ")
            assert world.sent(world.pbx.host, "BYE ")
            await world.finish()
            assert not any(world.left().values()), world.left()
        finally:
            world.close()

    played(story)
