"""Two cards paid one after the other: what Tonewall says of the two, to the PBX, the agent's page,
the log, the records and the metrics, are the same.

A first card is paid before them: what Tonewall says once in its life is said of that."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.canary import CANARY
from tests.stack import Stack, until
from tests.wire.line import Feed
from tests.wire.two_cards import CARDS, SPEECH, Script, Side, Two, two

LEAKY = Path(__file__).parents[1] / "leaky_bit"
# Of any two calls other than each other, in logs, views, ladders and records: ids, times, and what
# is measured in time.
_OTHERWISE = {
    "timestamp", "id", "pid", "at", "after", "call", "session", "sip_call_id", "caller_call_id",
    "agent_call_id", "call_id",
    "idempotency_key", "payment", "transaction_id", "reference",
}  # fmt: skip
_EITHER = re.compile(r"branch=[^;\r]*|tag=[^;\r]*|(?<=Call-ID: ).*|o=.*|:\d{4,5}|m=audio \d+|Date: .*")
_MEASURED = re.compile(r"_at$|_since$|_ms$|jitter|mos|loss|talk_seconds|score")


@dataclass
class Outputs:
    """What was said while one card was keyed and paid."""

    said: dict[str, Any] = field(default_factory=dict)

    def differs(self, other: Outputs) -> list[str]:
        """Where the two differ, never by what digits."""
        return sorted(
            {path for name in self.said for path in _paths(self.said[name], other.said[name], name)}
        )


def _paths(one: Any, other: Any, at: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for name in one:
            yield from _paths(one[name], other[name], f"{at}/{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other, strict=True)):
            yield from _paths(*pair, f"{at}/{number}")
    elif one != other:
        yield at


def plain(value: Any) -> Any:
    """Without what is never the same twice."""
    if isinstance(value, dict):
        return {
            name: plain(each)
            for name, each in value.items()
            if name not in _OTHERWISE and not _MEASURED.search(name)
        }
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def sip(side: Side, messages: list[str]) -> list[str]:
    """The PBX's messages of this call: ids, ports and times are as good as any other."""
    own = [text for text in messages if side.agent_call_id in text]
    return [_EITHER.sub("...", text) for text in own]


def entries(lines: list[str]) -> Counter[str]:
    """Log entries, whatever their order: processes write as they get to it. Not those of the test's
    own questions."""
    found: Counter[str] = Counter()
    for line in lines:
        entry = json.loads(line)
        # After the call, or not.
        by_chance = entry["event"] in {"library", "started"} or entry.get("kind") == "LegHungUp"
        if entry["process"] != "payer" and not by_chance:
            found[json.dumps(plain(entry), sort_keys=True)] += 1
    return found


def captures(feed: Feed, call_id: str) -> list[Any]:
    """The views of a call as the feed gave them. How many digits were there at once depends on when
    it was written, and so does when a note came; which notes there were stands behind the views."""
    views, notes = [], set()
    for view in feed.views(call_id):
        capture = view["capture"] or {}
        for each in capture.get("fields", ()):
            each["count"] = each["count"] if each["complete"] else None
        notes |= {each["code"] for each in capture.pop("notes", ())}
        views.append(plain(view))
    changed = [view for number, view in enumerate(views) if number == 0 or views[number - 1] != view]
    return [*changed, sorted(notes)]


async def series(stack: Stack) -> dict[str, float]:
    """What is counted, by name and labels, but for seconds; of what there is at the moment, and of
    histograms, the names."""
    lines = (await stack.api.get("/metrics")).text.splitlines()
    pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {
        name: float(value) if "_total" in name and "seconds" not in name else 0 for name, _, value in pairs
    }


async def paid(at: Two, side: Side, feed: Feed) -> Outputs:
    """Key one card, pay, hang up; all that was said by the end of it."""
    outputs = Outputs()
    before, log, heard = await series(at.stack), len(at.stack.log.read_text().splitlines()), len(at.pbx.heard)
    records = len(at.stack.records())
    payers = set(at.stack.pids()["payer"])
    await at.stack.start_capture(side.call_id, transaction=f"order-{side.call_id[:8]}")
    script = Script(SPEECH)
    script.say(10)
    for number, key in enumerate(side.card.keys):
        script.press(key)
        script.report(key, number)
        script.say(4, key)
    script.last()
    await at.one(side, script.steps)
    await at.stack.stage(side.call_id, "ready")

    async def is_noted() -> bool:
        return bool((await at.stack.call(side.call_id))["capture"]["notes"])

    await until(is_noted, "how its keys came")
    outputs.said["view when ready"] = plain(await at.stack.call(side.call_id))
    assert (await at.stack.submit(side.call_id))["type"] == "approved"

    async def is_open() -> bool:
        return not (await at.stack.call(side.call_id))["masked"]

    await until(is_open, "the mask to open")
    outputs.said["view when paid"] = plain(await at.stack.call(side.call_id))
    outputs.said["ladder"] = plain((await at.stack.api.get(f"/v1/calls/{side.call_id}/ladder")).json())
    await at.hang_up(side)
    await until(lambda: len(at.stack.records()) > records, "the call's record")
    await until(lambda: payers - set(at.stack.pids()["payer"]), "the payer to be gone")
    await at.stack.await_ready()
    after = await series(at.stack)
    outputs.said["metrics"] = {name: value - before.get(name, 0) for name, value in after.items()}
    outputs.said["record"] = plain(at.stack.records()[-1])
    outputs.said["feed"] = captures(feed, side.call_id)
    outputs.said["SIP"] = sip(side, [message.text for message in at.pbx.heard[heard:]])
    outputs.said["log"] = entries(at.stack.log.read_text().splitlines()[log:])
    return outputs


@contextlib.asynccontextmanager
async def followed(stack: Stack) -> AsyncIterator[Feed]:
    feed = Feed()
    reading = asyncio.create_task(feed.read(stack.api_url))
    try:
        await until(lambda: feed.raw, "the feed")
        yield feed
    finally:
        reading.cancel()


async def both(
    folder: Path, policy: str, environment: dict[str, str] | None = None
) -> tuple[Outputs, Outputs]:
    general = {"guard_time": "0.3"}
    cards = (CANARY, *CARDS)
    async with (
        two(folder, mask=policy, general=general, cards=cards, environment=environment) as at,
        followed(at.stack) as feed,
    ):
        outputs = [await paid(at, side, feed) for side in at.sides]
    return outputs[1], outputs[2]


@pytest.mark.parametrize("policy", ["mask", "mute-on-key", "mute"])
async def test_what_is_said_of_two_cards_is_the_same(tmp_path: Path, policy: str) -> None:
    one, other = await both(tmp_path, policy)
    assert all(one.said.values())
    assert not one.differs(other), "\n".join(one.differs(other))


async def test_a_media_process_that_tells_one_bit_is_found_out(tmp_path: Path) -> None:
    one, other = await both(tmp_path, "mask", {"PYTHONPATH": str(LEAKY)})
    found = {path.partition("/")[0] for path in one.differs(other)}
    assert {"log", "feed", "view when ready", "record"} <= found
