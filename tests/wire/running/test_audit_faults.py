"""The audit log of a whole Tonewall under faults: kill -9 in the middle of requests, a full disk, a
directory that becomes read-only. What is on disk verifies, whatever it was that happened."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.canary import CANARY, find_in_text
from tests.complaints import expect_error, permit_error
from tests.stack import PATIENCE, TOKEN, Stack, free_port, until
from tests.wire.audited import AuditLog
from tests.wire.conftest import Peers
from tests.wire.disk import fault_shown, fill, read_only, small_disk
from tests.wire.line import Line, line

ORDER = {"transaction_id": "t-1", "amount": 100, "currency": "EUR"}
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system takes root")
NO_LOG = "The audit log cannot be written, so this is not done."


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    with small_disk(tmp_path / "disk") as path:
        yield path


@contextlib.asynccontextmanager
async def requests(stack: Stack, programs: int = 4) -> AsyncIterator[list[int]]:
    """Programs that ask for what is audited, as fast as they are answered; the status of each
    answer. One that is not reached asks again."""
    answers: list[int] = []
    headers = {"Authorization": f"Bearer {TOKEN}"}

    async def ask() -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE, headers=headers) as client:
            while True:
                try:
                    answer = await client.delete(f"{stack.api_url}/v1/calls/nobody/capture")
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)  # until it may be there again
                    continue
                answers.append(answer.status_code)

    asking = [asyncio.create_task(ask()) for _ in range(programs)]
    try:
        yield answers
    finally:
        for each in asking:
            each.cancel()
        await asyncio.wait(asking)


async def killed(stack: Stack) -> None:
    """kill -9 of b2bua, and another."""
    before = json.loads((stack.directory / "run" / "ready.json").read_text())["pid"]
    stack.kill("b2bua")
    await stack.await_restart(before)


async def test_b2bua_killed_in_the_middle_of_requests_and_payments_leaves_a_log_that_verifies(
    peers: Peers,
) -> None:
    log, chance = AuditLog(peers.directory), random.Random(17)
    extra = {
        "audit": log.settings, "media": {"quiet_time": "1"}, "general": {"port": str(free_port())}
    }  # fmt: skip
    async with line(peers, extra=extra) as wire:
        stack = wire.stack
        async with requests(stack) as answers:
            for number in range(4):
                call = await wire.dial()
                keying = asyncio.create_task(wire.keyed(call, CANARY.keys, f"order-{number}"))
                count = len(answers)
                await until(lambda: len(answers) > count, "requests to be answered")  # noqa: B023
                await asyncio.sleep(chance.random() * 2)  # whenever it is
                keying.cancel()
                await asyncio.wait([keying])
                await killed(stack)
                assert await log.verify() == "sound"
                for phone in (wire.customer, wire.agent):
                    await phone.hangup()
                    await phone.wait("ended", PATIENCE)
                await wire.no_sessions()
        assert set(answers) <= {404}
        call = await wire.dial()
        await wire.keyed(call, CANARY.keys, "order-last")
        assert (await stack.submit(call))["type"] == "approved"
        [mask] = await log.ended(call, 1)
        assert (mask["keys"], mask["passed"]) == (len(CANARY.keys), 0)
    assert await log.verify() == "sound"
    asked = [each for each in await log.entries() if each["what"] == "cancel_payment"]
    numbers = {each["of"] for each in asked if each["result"] != "asked"}
    unanswered = [each for each in asked if each["result"] == "asked" and each["number"] not in numbers]
    assert len(unanswered) <= 4 * 5, "one of each program at most, at each kill"
    assert find_in_text(log.directory, CANARY) == []


async def begun(wire: Line, log: AuditLog) -> str:
    """A call in which a payment is ready to be submitted."""
    call = await wire.dial()
    await wire.keyed(call, CANARY.keys, "t-before")
    found = await log.masks(call)
    assert [each["on_because"] for each in found] == ["payment"]
    return call


@AS_ROOT
async def test_with_a_required_log_a_full_disk_stops_payments_and_no_end_of_one(
    peers: Peers, disk: Path
) -> None:
    log = AuditLog(disk)
    expect_error("audit_not_written", why="No space left on device")
    async with line(peers, extra={"audit": log.settings}) as wire:
        stack, call = wire.stack, await begun(wire, log)
        fill(disk)
        refused = await stack.api.post(f"/v1/calls/{call}/capture/submit")
        assert (refused.status_code, refused.json()["detail"]) == (503, NO_LOG)
        fault = await fault_shown(wire, "audit")
        assert (fault["status"], fault["stops"]) == (503, "payments")
        cancelled = await stack.api.delete(f"/v1/calls/{call}/capture")
        assert cancelled.status_code < 300
        await stack.unmasked(call)
        again = await stack.api.post(f"/v1/calls/{call}/capture", json=ORDER)
        assert again.status_code == 503
        assert (await stack.call(call))["masked"] is False
        await wire.voice()  # the call goes on
        assert await stack.charges() == []
        (disk / "ballast").unlink()
        await wire.keyed(call, CANARY.keys, "t-after")
        assert (await stack.submit(call))["type"] == "approved"
        await fault_shown(wire, "audit", there=False)
        first, second = await log.ended(call, 2)
        await wire.hang_up()
    assert first["off_because"] in ("no_key", "released"), "it went off while nothing could be written"
    assert [each["keys"] for each in (first, second)] == [len(CANARY.keys)] * 2
    assert await log.verify() == "sound"
    noted = await log.entries()
    lost = [each["details"]["entries"] for each in noted if each["what"] == "audit_lost"]
    assert sum(lost) >= 3, "two that were refused, and one that was done all the same"


@AS_ROOT
async def test_without_a_required_log_payments_go_on_over_a_full_disk_and_the_log_counts_what_is_missing(
    peers: Peers, disk: Path
) -> None:
    log = AuditLog(disk, required=False)
    expect_error("audit_not_written", why="No space left on device")
    async with line(peers, extra={"audit": log.settings}) as wire:
        stack, call = wire.stack, await begun(wire, log)
        fill(disk)
        assert (await stack.submit(call))["type"] == "approved"
        fault = await fault_shown(wire, "audit")
        assert fault["status"] == 200
        await stack.unmasked(call)
        (disk / "ballast").unlink()
        await stack.start_capture(call, transaction="t-after")
        await wire.hang_up()
        found = await log.ended(call, 2)
    assert [each["off_because"] for each in found] == ["approved", "call_ended"]
    assert await log.verify() == "sound"
    assert any(each["what"] == "audit_lost" for each in await log.entries())


@AS_ROOT
async def test_a_directory_that_becomes_read_only_stops_payments_until_it_can_be_written_again(
    peers: Peers, disk: Path
) -> None:
    log = AuditLog(disk)
    expect_error("audit_not_written", why="Read-only file system")
    async with line(peers, extra={"audit": log.settings}) as wire:
        stack, call = wire.stack, await begun(wire, log)
        with read_only(disk):
            refused = await stack.api.post(f"/v1/calls/{call}/capture/submit")
            assert (refused.status_code, refused.json()["detail"]) == (503, NO_LOG)
            assert (await fault_shown(wire, "audit"))["status"] == 503
            await wire.voice()
        assert (await stack.submit(call))["type"] == "approved"
        await fault_shown(wire, "audit", there=False)
        await wire.hang_up()
        await log.ended(call, 1)
    assert await log.verify() == "sound"
    permit_error("audit_not_signed")
