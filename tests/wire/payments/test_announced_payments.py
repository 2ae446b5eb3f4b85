"""A mask before a payment, on a running Tonewall: a customer who is too quick reaches nobody, and
the payment that begins needs no mask of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.canary import CANARY
from tests.complaints import expect_error
from tests.stack import until
from tests.wire.info_keys import pressed
from tests.wire.paying import charged, digits_sha256
from tests.wire.scene import Scene, events, scene

GENERAL = {"guard_time": "0.5", "release_time": "1"}


async def view(at: Scene) -> dict[str, Any]:
    return await at.stack.call(at.call_id)


async def announced(at: Scene) -> None:
    answer = await at.stack.api.post(f"/v1/calls/{at.call_id}/mask")
    assert answer.status_code == 200, answer.text
    await confirmed(at)


async def confirmed(at: Scene) -> None:
    async def is_masked() -> bool:
        return (await view(at))["masked_since"] is not None

    await until(is_masked, "the mask")


async def dropped(at: Scene, count: int) -> None:
    async def are() -> bool:
        return (await view(at))["keys_dropped"] == count

    await until(are, f"{count} keys that were thrown away")


async def opened(at: Scene) -> None:
    async def is_open() -> bool:
        seen = await view(at)
        return seen["mask"] == "off" and seen["announced_by"] is None and seen["keys_dropped"] == 0

    await until(is_open, "an open line")


async def passes(at: Scene) -> None:
    """The control: the next key reaches the agent."""
    before = events(at.old)
    await at.customer.key("5")
    await until(lambda: events(at.old) > before, "a key at the agent's phone")

    async def is_seen() -> bool:
        return (await view(at))["keys_passed_at"] is not None

    await until(is_seen, "a view that says so")


async def test_keys_before_the_payment_reach_nobody_and_the_card_is_keyed_and_charged(tmp_path: Path) -> None:
    async with scene(tmp_path, general=GENERAL) as at:
        await passes(at)
        before = events(at.old)
        await announced(at)
        assert (await view(at))["keys_passed_at"] is None
        await at.customer.key(CANARY.number[:7])
        await dropped(at, 7)
        assert (await view(at))["still_keying"]
        await at.stack.start_capture(at.call_id)
        capture = (await view(at))["capture"]
        assert capture["fields"][0]["count"] == 0, "what was keyed before does not count"
        await at.customer.key(CANARY.keys)
        await at.stack.stage(at.call_id, "ready")
        assert events(at.old) == before
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
        await opened(at)
        await passes(at)
        await at.end(at.agent)


async def test_a_release_opens_it_after_the_guard_time_and_a_key_takes_the_release_back(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, general=GENERAL | {"release_time": "60"}) as at:
        before = events(at.old)
        await announced(at)
        assert (await at.stack.api.delete(f"/v1/calls/{at.call_id}/mask")).status_code == 200
        await at.customer.key("4")

        async def is_held() -> bool:
            seen = await view(at)
            return seen["mask"] == "held" and not seen["still_keying"]

        await until(is_held, "the release taken back, and the customer at rest")
        assert events(at.old) == before
        assert (await at.stack.api.delete(f"/v1/calls/{at.call_id}/mask")).status_code == 200
        await opened(at)
        await passes(at)
        await at.end(at.agent)


async def test_a_payment_that_does_not_come_leaves_the_mask_to_its_limit_and_the_release_time(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, general=GENERAL, pre_mask_time="10") as at:
        await announced(at)
        await opened(at)
        await passes(at)
        await at.end(at.agent)


@pytest.mark.parametrize("pre_mask", ["answer", "never"])
async def test_a_trunk_s_calls_are_masked_once_answered_or_not_before_a_payment(
    tmp_path: Path, pre_mask: str
) -> None:
    async with scene(tmp_path, general=GENERAL, pre_mask=pre_mask) as at:
        if pre_mask == "never":
            answer = await at.stack.api.post(f"/v1/calls/{at.call_id}/mask")
            assert answer.status_code == 409
            await passes(at)
        else:
            await confirmed(at)
            await at.customer.key("41")
            await dropped(at, 2)
            assert events(at.old) == 0
            await at.stack.start_capture(at.call_id)
            await at.customer.key("4")
            assert events(at.old) == 0
        await at.end(at.agent)


async def test_keys_by_info_are_withheld_and_counted(tmp_path: Path) -> None:
    async with scene(tmp_path, general=GENERAL, info_digits="yes") as at:
        await announced(at)
        await pressed(at, "4", 2)
        await dropped(at, 1)
        assert not [heard for heard in at.pbx.heard if heard.start.startswith("INFO ")]
        await at.end(at.agent)


async def test_where_b2bua_dies_the_mask_stays_on(tmp_path: Path) -> None:
    async with scene(tmp_path, general=GENERAL, complaints=False) as at:
        await announced(at)
        expect_error("restarting", child="b2bua")
        for pid in at.stack.pids()["b2bua"]:
            os.kill(pid, signal.SIGKILL)
        before = len(at.old.rtp.heard)
        await at.customer.key(CANARY.number)
        await until(lambda: len(at.old.rtp.heard) > before, "the customer's voice at the agent's phone")
        assert events(at.old) == 0
