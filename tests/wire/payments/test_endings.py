"""The table of endings (tests/endings.py, docs/states.md), walked: each row is one Tonewall with a
call in every stage."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.complaints import permit_error
from tests.endings import ENDINGS, Left, walked
from tests.model.world import PROVOKED
from tests.stack import until
from tests.wire.ending_calls import LATE, NEXT_DESK, PaidCall, Rig, rig, without_events

DELAY, NEVER_COMES = 2.0, 60.0  # seconds that the late card is charged
# What one Tonewall is for: rows that do not disturb each other.
WALKS = (
    ("approved", "partly approved", "declined", "failed"),
    ("unknown",),
    ("no key for `key_timeout`", "not submitted for `ready_timeout`"),
    ("keying for `capture_timeout`",),
    ("no key for `release_time`",),
    ("customer hangs up", "agent hangs up"),
    ("agent hangs up, `agent_gone = form`",),
    ("agent hangs up, `agent_gone = TRUNK/NUMBER`",),
    ("cancel", "release"),
    ("a key is lost", "customer's side drops telephone-event"),
    ("PBX drops telephone-event", "PBX holds"),
    ("PBX transfers",),
    ("PBX joins with a call to a carrier",),
    ("another payment is started", "a payment is announced"),
    ("no RTP for `media_timeout`",),
    ("media is killed",),
    ("b2bua is killed",),
    ("the payers are killed",),
    ("Tonewall is stopped",),
)
COME_BY_THEMSELVES = {
    "approved", "partly approved", "declined", "failed", "unknown",
    "no key for `key_timeout`", "not submitted for `ready_timeout`", "no key for `release_time`",
}  # fmt: skip
MASKED_ANEW = ("another payment is started", "a payment is announced")
CARDS = {
    "approved": "37828224631000511397391",
    "partly approved": "4000000000010076#1139739",
    "declined": "4000000000000002#1139739",
    "failed": "4000000000010043#1139739",
}
SETTINGS: dict[str, dict[str, dict[str, str]]] = {
    "unknown": {"provider": {"timeout": "1", "inquiry_time": "1"}},
    "no key for `key_timeout`": {"media": {"key_timeout": "1.5"}},
    "keying for `capture_timeout`": {"media": {"capture_timeout": "2"}},
    "not submitted for `ready_timeout`": {"media": {"ready_timeout": "1"}},
    "no key for `release_time`": {"general": {"release_time": "2"}},
    "no RTP for `media_timeout`": {"media": {"media_timeout": "2"}},
    "agent hangs up, `agent_gone = form`": {"route in": {"to": "pbx", "agent_gone": "form", "silence": "60"}},
    "agent hangs up, `agent_gone = TRUNK/NUMBER`": {
        "route in": {"to": "pbx", "agent_gone": f"pbx/{NEXT_DESK}"}
    },
}


# --- what happens to one call ---------------------------------------------------------------------


async def customer_hangs_up(call: PaidCall) -> None:
    call.customer.hang_up()


async def agent_hangs_up(call: PaidCall) -> None:
    call.agent.hang_up()


async def agent_leaves_to_another(call: PaidCall) -> None:
    """The next agent answers, where one is called."""
    if call.stage in ("held", "open"):
        call.agent.hang_up()
    else:
        await call.passed_on()


async def cancel(call: PaidCall) -> None:
    code, _ = await call.ask("DELETE", "capture")
    assert code == (409 if walked(call.way)[call.stage].refused else 200)


async def release(call: PaidCall) -> None:
    """As soon as the customer is not keying any more."""
    if call.stage == "held":
        await until(call.is_quiet, "the customer to be quiet")
    code, _ = await call.ask("POST", "mask/release")
    assert code == (409 if walked(call.way)[call.stage].refused else 200)


async def key_is_lost(call: PaidCall) -> None:
    call.lose_key()


async def customer_drops_events(call: PaidCall) -> None:
    assert await call.customer.change(without_events(call.customer)) == 200


async def pbx_drops_events(call: PaidCall) -> None:
    assert await call.agent.change(without_events(call.agent)) == 200


async def pbx_holds(call: PaidCall) -> None:
    assert await call.agent.change(replace(call.agent.own, direction="sendonly")) == 200


async def pbx_transfers(call: PaidCall) -> None:
    await call.transfer()


async def pbx_joins(call: PaidCall) -> None:
    """The other call is with somebody at a carrier, who must not come under a mask."""
    assert await call.join() == ("202" if call.stage == "open" else "603")


async def another_is_started(call: PaidCall) -> None:
    order = {"transaction_id": f"again-{call.customer.name}", "amount": 100, "currency": "EUR"}
    code, _ = await call.ask("POST", "capture", **order)
    assert code == (409 if walked(call.way)[call.stage].refused else 201)


async def payment_is_announced(call: PaidCall) -> None:
    code, _ = await call.ask("POST", "mask")
    assert code == (409 if walked(call.way)[call.stage].refused else 200)


async def falls_silent(call: PaidCall) -> None:
    call.silent = True


async def keys_on(call: PaidCall) -> None:
    """A key, and its field cleared again, until the capture is over."""

    async def is_over() -> bool:
        return (await call.said())[0] == "aborted"

    while not await is_over():
        await call.keyed("1*")


EACH: dict[str, Callable[[PaidCall], Awaitable[None]]] = {
    "customer hangs up": customer_hangs_up,
    "agent hangs up": agent_hangs_up,
    "agent hangs up, `agent_gone = form`": agent_hangs_up,
    "agent hangs up, `agent_gone = TRUNK/NUMBER`": agent_leaves_to_another,
    "cancel": cancel,
    "release": release,
    "keying for `capture_timeout`": keys_on,
    "a key is lost": key_is_lost,
    "customer's side drops telephone-event": customer_drops_events,
    "PBX drops telephone-event": pbx_drops_events,
    "PBX holds": pbx_holds,
    "PBX transfers": pbx_transfers,
    "PBX joins with a call to a carrier": pbx_joins,
    "another payment is started": another_is_started,
    "a payment is announced": payment_is_announced,
    "no RTP for `media_timeout`": falls_silent,
}


# --- what happens to all of them at once: done, and waited for ------------------------------------


@contextlib.asynccontextmanager
async def media_is_killed(at: Rig) -> AsyncIterator[None]:
    [before] = at.stack.kill("media")
    yield

    async def restored() -> bool:
        """Whether a media process has the sessions again."""
        if not set(at.stack.pids().get("media", ())) - {before}:
            return False
        shown = [view["not_capturable"] for view in await at.stack.calls()]
        return all(each is None or each["code"] != "service" for each in shown)

    await until(restored, "the next media process")


@contextlib.asynccontextmanager
async def b2bua_is_killed(at: Rig) -> AsyncIterator[None]:
    [before] = at.stack.kill("b2bua")
    yield
    await at.b2bua_back(before)


@contextlib.asynccontextmanager
async def payers_are_killed(at: Rig) -> AsyncIterator[None]:
    at.stack.kill("payer")
    yield


@contextlib.asynccontextmanager
async def tonewall_is_stopped(at: Rig) -> AsyncIterator[None]:
    [keeper] = at.stack.pids()["keeper"]
    os.kill(keeper, signal.SIGTERM)
    yield
    await at.stack.stop_tonewall()
    await at.stack.start_tonewall()


AT_ONCE: dict[str, Callable[[Rig], contextlib.AbstractAsyncContextManager[None]]] = {
    "media is killed": media_is_killed,
    "b2bua is killed": b2bua_is_killed,
    "the payers are killed": payers_are_killed,
    "Tonewall is stopped": tonewall_is_stopped,
}


# --- the walk -------------------------------------------------------------------------------------


def test_the_table_is_whole_and_every_row_of_it_is_walked() -> None:
    assert sorted(way for ways in WALKS for way in ways) == sorted(ENDINGS)
    assert {way for way in ENDINGS if way not in EACH and way not in AT_ONCE} == COME_BY_THEMSELVES
    for way in ENDINGS:
        assert walked(way), way


@pytest.mark.parametrize("ways", WALKS, ids=" and ".join)
async def test_every_way_to_end_leaves_in_every_stage_what_the_table_says(
    tmp_path: Path, subtests: pytest.Subtests, ways: tuple[str, ...]
) -> None:
    settings: dict[str, dict[str, str]] = {}
    for way in ways:
        for section, keys in SETTINGS.get(way, {}).items():
            settings.setdefault(section, {}).update(keys)
        for event in PROVOKED if way in AT_ONCE else ():
            permit_error(event)
    async with rig(tmp_path, settings, NEVER_COMES if "unknown" in ways else DELAY) as at:
        calls = [await at.dial(way, stage) for way in ways for stage in walked(way)]
        await asyncio.gather(*(call.reach(CARDS.get(call.way, LATE)) for call in calls))
        for call in calls:
            if call.way == "PBX joins with a call to a carrier":
                await call.consult()
        for call in calls:
            if call.stage == "charging":
                await call.submit()
        await happens(at, calls)
        found = await asyncio.gather(*(judged(call) for call in calls), return_exceptions=True)
        for call, fault in zip(calls, found, strict=True):
            with subtests.test(way=call.way, stage=call.stage):
                if fault is not None:
                    raise fault
                # By now those are there that there are.
                if not walked(call.way)[call.stage].recorded:
                    assert call.records() == []


async def happens(at: Rig, calls: list[PaidCall]) -> None:
    """What happens to those that are starting happens while media answers nobody: they are starting
    for no longer."""
    starting = [call for call in calls if call.stage == "starting"]
    for call in calls:
        if call.stage == "charging" and call.way not in CARDS:
            await until(call.is_charged, "the charge at the provider")
    at_once = AT_ONCE.get(calls[0].way)
    if at_once is not None:
        async with contextlib.AsyncExitStack() as doing:
            with at.media_stopped() if starting else contextlib.nullcontext():
                for call in starting:
                    await call.start()
                await doing.enter_async_context(at_once(at))
        return
    await asyncio.gather(
        *(EACH[call.way](call) for call in calls if call.way in EACH and call.stage != "starting")
    )
    under_way = []
    with at.media_stopped() if starting else contextlib.nullcontext():
        for call in starting:
            await call.start()
            under_way.append(asyncio.ensure_future(EACH[call.way](call)))
        if under_way:
            await asyncio.wait(under_way, timeout=1)  # a renegotiation waits for media
    await asyncio.gather(*under_way)


async def judged(call: PaidCall) -> None:
    """What is left of the payment: in the API, at the provider, of the mask and in the record."""
    left = walked(call.way)[call.stage]
    said: list[tuple[str, str]] = []

    async def as_told() -> bool:
        said[:] = [await call.said()]
        return said == [(left.stage, left.outcome)]

    try:
        await until(as_told, "", 20)
    except AssertionError:
        raise AssertionError(f"the payment says {said}, not {left}; see {call.rig.stack.log}") from None
    await _judge_charges(call, left)
    judges = {"over": _judge_end, "off": _judge_open, "on": _judge_mask, "recent": _judge_recent}
    await judges[left.mask](call, left)
    await _judge_record(call, left)


async def _judge_charges(call: PaidCall, left: Left) -> None:
    async def charges() -> int:
        found = await call.rig.stack.charges()
        return sum(each["charges"] for each in found if each["idempotency_key"] == call.payment)

    if left.charges is None:
        assert await charges() <= 1
        return

    async def as_said() -> bool:
        return await charges() == left.charges

    await until(as_said, f"{left.charges} charges at the provider")


async def _judge_end(call: PaidCall, _: Left) -> None:
    await until(lambda: call.customer.ended and call.agent.ended, "both ends to know")

    async def gone() -> bool:
        return not await call.view()

    await until(gone, "the API to know no such call")
    assert call.leaked == []


async def _judge_open(call: PaidCall, _: Left) -> None:
    """A key reaches the agent's phone, where both ends have telephone-event."""
    if await call.view():
        await until(call.is_open, "the mask to be off")
    if call.agent.own.direction != "sendrecv":
        assert await call.agent.change(replace(call.agent.own, direction="sendrecv")) == 200
    if call.stage == "open":  # what was pressed since then is no secret
        call.agent.seen.clear()
    assert call.leaked == []
    await call.pressed("7")
    if call.agent.own.events is not None and call.customer.own.events is not None:
        await until(lambda: set(call.leaked) == {"7"}, "a key at the agent's phone")
    else:
        assert call.leaked == []


async def _judge_mask(call: PaidCall, left: Left) -> None:
    """No key reaches the agent's phone, nor has one before."""
    view = await call.view()
    if view:
        is_held = left.is_final and call.way not in MASKED_ANEW
        assert (view["masked"], view["mask"]) == (True, "held" if is_held else "on")
    await call.pressed("7" if left.is_final else "*")
    assert call.leaked == []


async def _judge_recent(call: PaidCall, _: Left) -> None:
    """A key that was pressed as the mask went off may still come, so the next process masks again:
    a key reaches the agent's phone, or the mask is there to see."""
    call.agent.seen.clear()
    await call.pressed("7")

    async def passed_or_masked() -> bool:
        return set(call.leaked) == {"7"} or not await call.is_open()

    await until(passed_or_masked, "a key at the agent's phone, or the mask")


async def _judge_record(call: PaidCall, left: Left) -> None:
    call.customer.hang_up()
    expected = (left.stage, left.outcome or None) if left.is_final else ("aborted", None)

    if left.recorded:
        await until(call.records, "the call's record")
        assert call.records() == [expected]
