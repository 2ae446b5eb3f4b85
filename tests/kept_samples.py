"""Calls as a version of Tonewall keeps them, in a file for the tests of the versions that follow.

All names, numbers and keys in them are invented.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from b2bua.switchboard.call_slots import CallSlots
from b2bua.switchboard.checkpoints import DELAY
from tests.kept_paper import Killed
from tests.paper import played
from tests.paper_steps import STEPS

FOLDER: Final = Path(__file__).parent / "fixtures" / "kept_calls"
_UP: Final = ("ring", "answer", "carrier acknowledges")
STORIES: Final[dict[str, tuple[str, ...]]] = {
    "sent": (),
    "rings": ("ring",),
    "rings reliably": ("ring reliably",),
    "challenged": ("challenge", "ring"),
    "answered": ("ring", "answer"),
    "up": _UP,
    "held": (*_UP, "pbx re-invites", "carrier says yes"),
    "a re-INVITE under way": (*_UP, "carrier re-invites"),
    "a payment": (*_UP, "a moment", "capture"),
    "a refreshed session": (*_UP, "half a session"),
    "a REFER": (*_UP, "refer"),
}
"""By name, the steps of tests/paper_steps.py until the call is kept."""


class Sample(msgspec.Struct, frozen=True):
    """One call as it was kept. `at`: the time on the clock of its machine, in seconds."""

    name: str
    at: float
    call: str
    data: bytes
    acknowledged: bool


def make_samples() -> bytes:
    """Play all stories; the file of what was kept of each."""
    samples = [played(lambda name=name: _play(name)) for name in STORIES]  # type: ignore[misc]
    return msgspec.json.encode(samples).replace(b"},{", b"},\n{") + b"\n"


def read_samples(schema: int) -> list[Sample]:
    """Those of a schema. Raises OSError where there are none."""
    return msgspec.json.decode((FOLDER / f"{schema}.json").read_bytes(), type=list[Sample])


async def _play(name: str) -> Sample:
    world = Killed()
    try:
        await world.begin()
        world.carrier.dial()
        for step in ("a moment", *STORIES[name]):
            await world.settle()
            act = STEPS[step]
            if isinstance(act, float):
                await asyncio.sleep(act)
            elif isinstance(act, str):
                await world.agent(act)
            else:
                act(world)
            await world.settle()
        await asyncio.sleep(DELAY + 0.1)
        [kept] = CallSlots(world.file).read()
        world.signalling.context.scheduler.close()
        world.board.abandon()
        return Sample(name, world.now(), kept.id, kept.data, kept.acknowledged)
    finally:
        world.close()
