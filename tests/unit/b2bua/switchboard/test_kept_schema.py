"""Calls that another version kept: those of a schema that is read go on, others are refused."""

from __future__ import annotations

import asyncio

import pytest

from b2bua.call import snapshot as calls
from b2bua.call.schema import READS, RELEASED, SCHEMA
from b2bua.call.view import CallState, CaptureStage
from b2bua.sip import snapshot as legs
from b2bua.switchboard.call_slots import CallSlots
from tests.architecture.kept_shapes import stale
from tests.kept_paper import Killed
from tests.kept_samples import STORIES, Sample, read_samples
from tests.paper import CARRIER, PBX, played
from tonewall.snapshot_shapes import differences, earlier


def test_this_schema_has_the_shapes_of_this_code() -> None:
    assert stale() == []
    assert SCHEMA >= RELEASED
    assert READS[0] == SCHEMA


@pytest.mark.parametrize("schema", READS)
def test_the_shapes_of_each_schema_that_is_read_fit_the_types_of_today(schema: int) -> None:
    for module in (calls, legs):
        assert differences(earlier(module.SHAPES)(schema), module.KINDS) == []


def samples() -> list[tuple[int, Sample]]:
    return [(schema, each) for schema in READS for each in read_samples(schema)]


async def taken_up(sample: Sample) -> None:
    world = Killed()
    try:
        await asyncio.sleep(sample.at - world.now() + 0.2)
        slots = CallSlots(world.file)
        slots.begin()
        slots.write(sample.call, sample.data)
        if sample.acknowledged:
            slots.mark(sample.call)
        assert await world.begin() == 1
        await world.settle()
        [view] = world.board.calls()
        assert view.id == sample.call
        assert len(world.signalling.context.legs) >= 2
        if sample.name == "a payment":
            assert view.capture is not None
            assert view.capture.stage is CaptureStage.ABORTED
        if sample.name == "up":
            assert view.state is CallState.UP
        world.board.shut_down()
        await world.settle()
        await asyncio.sleep(1.0)
        ends = ("BYE", "CANCEL", "INVITE", "SIP/2.0")
        assert world.sent(CARRIER, *ends)
        assert world.sent(PBX, *ends)
        assert world.board.failures == []
    finally:
        world.signalling.context.scheduler.close()
        world.board.abandon()
        world.close()


@pytest.mark.parametrize(
    ("schema", "sample"), samples(), ids=[f"{each.name}, {schema}" for schema, each in samples()]
)
def test_a_call_that_was_kept_so_goes_on_and_ends(schema: int, sample: Sample) -> None:
    played(lambda: taken_up(sample))


@pytest.mark.parametrize("schema", READS)
def test_there_is_a_sample_of_each_story(schema: int) -> None:
    assert {each.name for each in read_samples(schema)} == set(STORIES)
