"""What the audit log says of masks after real calls: from when to when, why, at whose request, and
how many keys it kept from the agent; nothing of which keys."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.canary import CANARY, find_in_text
from tests.everybody import ROLES as EVERY_ROLE
from tests.stack import TOKEN
from tests.wire.audited import AuditLog
from tests.wire.conftest import Peers
from tests.wire.line import line
from tests.wire.two_cards import CARDS

SUE = "supervisor-under-test-0001"


def time(text: str) -> datetime:
    return datetime.fromisoformat(text)


FIGURES = ("keys", "keys_as_events", "keys_as_tones", "keys_as_both", "passed", "alarms")


async def test_two_masks_in_a_call_are_told_apart_with_their_keys_and_reasons(peers: Peers) -> None:
    log, begun = AuditLog(peers.directory), datetime.now(UTC)
    async with line(peers, extra={"audit": log.settings}) as wire:
        stack = wire.stack
        call = await wire.dial()
        await wire.keyed(call, CANARY.keys, "order-1")
        assert (await stack.submit(call))["type"] == "approved"
        [paid] = await log.ended(call, 1)
        await stack.start_capture(call, transaction="order-2")
        await wire.key("4242")
        await stack.api.delete(f"/v1/calls/{call}/capture")
        await stack.unmasked(call)
        _, cancelled = await log.ended(call, 2)
        await stack.start_capture(call, transaction="order-3")
        await wire.hang_up()
        await wire.no_sessions()
        *_, hung_up = await log.ended(call, 3)
        asked = {each["number"]: each for each in await log.entries(call)}
    assert paid["keys"] == paid["keys_as_events"] == len(CANARY.keys)
    assert [each["on_because"] for each in (paid, cancelled, hung_up)] == ["payment"] * 3
    assert [paid["off_because"], hung_up["off_because"]] == ["approved", "call_ended"]
    assert cancelled["off_because"] in ("no_key", "released")
    assert (cancelled["keys"], hung_up["keys"]) == (4, 0)
    assert len({each["payment"] for each in (paid, cancelled, hung_up)}) == 3
    times = [time(each[name]) for each in (paid, cancelled, hung_up) for name in ("since", "until")]
    assert begun <= times[0]
    assert times == sorted(times)
    assert times[-1] <= datetime.now(UTC)
    assert paid["left"] > 0, "the customer was heard meanwhile"
    for each in (paid, cancelled, hung_up):
        assert (each["passed"], each["alarms"]) == (0, 0)
        assert each["event_packets"] <= each["withheld"]
        of = asked[asked[each["line"]]["of"]]
        assert (of["what"], of["result"], of["who"]) == ("start_payment", "asked", "test")
    assert await log.verify() == "sound"
    assert find_in_text(log.directory, CANARY) == []


async def test_two_cards_whose_keys_are_as_many_leave_the_same_figures(peers: Peers) -> None:
    log = AuditLog(peers.directory)
    figures: list[dict[str, Any]] = []
    async with line(peers, extra={"audit": log.settings}) as wire:
        call = await wire.dial()
        for number, card in enumerate(CARDS, 1):
            await wire.keyed(call, card.keys, f"order-{number}")
            await wire.stack.submit(call)
            await wire.stack.unmasked(call)
            found = (await log.ended(call, number))[-1]
            figures.append({name: found[name] for name in FIGURES})
    assert figures[0] == figures[1]
    assert figures[0]["keys"] == len(CARDS[0].keys)


async def test_a_mask_that_outlives_its_media_is_one_and_says_which_keys_are_counted(peers: Peers) -> None:
    log = AuditLog(peers.directory)
    async with line(peers, extra={"audit": log.settings}) as wire:
        call = await wire.dial()
        await wire.stack.start_capture(call)
        await wire.key("42")
        wire.stack.kill("media")
        await wire.stack.stage(call, "aborted")
        await wire.voice()
        await wire.key("7")
        await wire.hang_up()
        [mask] = await log.ended(call, 1)
        assert (mask["on_because"], mask["off_because"]) == ("payment", "call_ended")
        assert (mask["keys"], mask["passed"]) == (1, 0)
        assert mask["event_packets"] > 6, "those of the keys before are counted, too"
        assert "since a media process was lost" in mask["keys_counted"]
    assert await log.verify() == "sound"


async def test_a_mask_that_outlives_its_b2bua_is_noted_by_the_next(peers: Peers) -> None:
    log = AuditLog(peers.directory)
    async with line(peers, extra={"audit": log.settings, "media": {"quiet_time": "0.5"}}) as wire:
        stack = wire.stack
        call = await wire.dial()
        await stack.start_capture(call)
        await wire.key("4242")
        before = json.loads((stack.directory / "run" / "ready.json").read_text())["pid"]
        stack.kill("b2bua")
        await stack.await_restart(before)
        await wire.customer.hangup()
        [mask] = await log.ended(call, 1)
        assert (mask["off_because"], mask["keys"]) == ("call_ended", 4)
        assert (mask["passed"], mask["on_because"]) == (0, "payment")
    assert await log.verify() == "sound"


@pytest.mark.parametrize("release", [False, True], ids=["unused", "released"])
async def test_a_mask_before_a_payment_says_who_announced_it_and_who_released_it(
    peers: Peers, release: bool
) -> None:
    log = AuditLog(peers.directory)
    async with line(peers, extra={"audit": log.settings}) as wire:
        stack = wire.stack
        call = await wire.dial()
        assert (await stack.api.post(f"/v1/calls/{call}/mask")).status_code < 300
        if release:
            assert (await stack.api.post(f"/v1/calls/{call}/mask/release")).status_code < 300
            await stack.unmasked(call)
        else:
            await wire.hang_up()
            await wire.no_sessions()
        [mask] = await log.ended(call, 1)
        end = next(each for each in await log.entries(call) if each["what"] == "mask_off")
    assert (mask["on_because"], mask["who"], mask["payment"]) == ("announced", "test", "")
    assert mask["off_because"] == ("released" if release else "call_ended")
    assert end["who"] == ("test" if release else "media")


async def test_a_supervisor_who_takes_over_is_named_and_the_mask_stays_on(peers: Peers) -> None:
    log = AuditLog(peers.directory)
    api = {
        "tokens": f"test:{TOKEN}, sue:{SUE}", "roles": f"sue:supervisor+integration, {EVERY_ROLE}",
    }  # fmt: skip
    async with line(peers, extra={"audit": log.settings, "api": api}) as wire:
        call = await wire.dial()
        await wire.stack.start_capture(call)
        await wire.key(CANARY.keys[:6])
        taken = await wire.stack.api.post(
            f"/v1/calls/{call}/capture/take-over", headers={"Authorization": f"Bearer {SUE}"}
        )
        assert taken.status_code == 200, taken.text
        await wire.key(CANARY.keys[6:])
        await wire.stack.stage(call, "ready")
        submitted = await wire.stack.api.post(
            f"/v1/calls/{call}/capture/submit", headers={"Authorization": f"Bearer {SUE}"}
        )
        assert submitted.status_code == 200, submitted.text
        await wire.unmasked(call)
        [mask] = await log.ended(call, 1)  # one mask from before the take-over until after it
        entries = await log.entries(call)
    assert (mask["who"], mask["off_because"], mask["keys"]) == ("test", "approved", len(CANARY.keys))
    assert (mask["passed"], mask["alarms"]) == (0, 0)
    took = [each for each in entries if each["what"] == "take_over_payment"]
    assert [(each["who"], each["result"]) for each in took] == [("sue", "asked"), ("sue", "done")]
    assert mask["since"] < took[0]["at"] < mask["until"]
    assert [each["what"] for each in entries].count("mask_on") == 1
    assert find_in_text(log.directory, CANARY) == []
