"""A call that is written out at any moment, thrown away and read into a new process goes on as the
one that was not: each of its messages is the same, octet for octet, at the same time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from tests.paper import PASSWORD, World, played
from tests.paper_steps import APART, STEPS
from tonewall.tokens import token

# What a call mostly does, so that many scripts come far; any step may come anywhere in it.
UP = ("ring", "answer", "carrier acknowledges")
RELIABLY = ("ring reliably", "pbx says yes", "carrier pracks", "answer", "carrier acknowledges")
TRANSFERRED = (*UP, "refer", "pbx says yes")
RENEGOTIATED = (*UP, "pbx re-invites", "carrier says yes")
SCRIPTS = st.tuples(
    st.sampled_from([(), ("ring",), UP, RELIABLY, TRANSFERRED, RENEGOTIATED]),
    st.lists(st.sampled_from(sorted(STEPS)), max_size=10),
).map(lambda parts: [*parts[0], *parts[1]])


async def play(script: list[str], written_after: set[int]) -> tuple[World, list[bytes]]:
    """`written_after`: the steps after which everything is written out and read back."""
    world, papers = World(), []
    world.carrier.dial()
    await asyncio.sleep(APART)
    for number, name in enumerate(script):
        if number in written_after:
            papers += world.again()
        step = STEPS[name]
        if isinstance(step, float):
            await asyncio.sleep(step)
        elif isinstance(step, str):
            await world.agent(step)
        else:
            step(world)
        await world.settle()
        await asyncio.sleep(APART)
    if len(script) in written_after:
        papers += world.again()
    await world.finish()
    return world, papers


@pytest.fixture(scope="module", autouse=True)
def _tokens() -> Iterator[None]:
    source: Any = token.__self__  # type: ignore[attr-defined]
    yield
    source._pool, source._at = "", 0


def same_chance() -> None:
    """The same tags, branches and waits in every run."""
    source: Any = token.__self__  # type: ignore[attr-defined]
    source._pool, source._at = random.Random(7).randbytes(60_000).hex(), 0
    random.seed(7)


# The PRACK of a leg that is gone.
@example(script=["ring", "a minute", "carrier pracks"], written_after={2})
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=SCRIPTS, written_after=st.sets(st.integers(0, 15), min_size=1))
def test_a_call_that_is_written_out_says_what_the_other_says(
    script: list[str], written_after: set[int]
) -> None:
    same_chance()
    undisturbed, _ = played(lambda: play(script, set()))
    same_chance()
    world, papers = played(lambda: play(script, written_after))
    assert not any(world.left().values()), world.left()
    assert not any(undisturbed.left().values())
    assert sorted(world.said) == sorted(undisturbed.said)
    assert world.records == undisturbed.records
    assert world.records  # more than one, where the INVITE came again after the call was over
    assert not any(PASSWORD.encode() in paper for paper in papers)
    for method in {data.split(b" ")[0].decode() for _, _, data in world.said if not data.startswith(b"SIP/")}:
        event(method)
