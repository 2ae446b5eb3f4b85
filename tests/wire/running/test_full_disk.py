"""A disk that is full or read-only: payments stop before the customer keys, calls go on, and no
call record is lost."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.complaints import expect_error
from tests.stack import until
from tests.wire.conftest import Peers
from tests.wire.line import Line, line

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system takes root")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def fill(disk: Path) -> None:
    with (disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while ballast.write(bytes(4096)):
            pass


async def fault_shown(wire: Line, what: str, *, there: bool = True) -> dict[str, Any]:
    """The health check, once it tells of that fault, or no more."""

    async def faults() -> dict[str, Any] | None:
        answer = await wire.stack.api.get("/healthz")
        found = {fault["what"]: fault for fault in answer.json()["faults"]}
        return {"status": answer.status_code, **found.get(what, {})} if (what in found) is there else None

    return await until(faults, f"{what} in the faults: {there}; see {wire.stack.log}")


async def test_no_payment_begins_while_the_journal_cannot_be_written(peers: Peers, disk: Path) -> None:
    expect_error("journal_failed", key="[provider] journal", why="No space left on device")
    expect_error("restarting", what="payer")
    async with line(peers, extra={"provider": {"journal": str(disk / "journal.jsonl")}}) as wire:
        call_id = await wire.dial()
        async with wire.feed() as feed:
            fill(disk)
            fault = await fault_shown(wire, "payers")
            assert fault["status"] == 503
            assert "the payment journal cannot be written" in fault["says"]
            order = {"transaction_id": "t-1", "amount": 100, "currency": "EUR"}
            answer = await wire.stack.api.post(f"/v1/calls/{call_id}/capture", json=order)
            assert answer.status_code == 503
            assert answer.json()["detail"] == fault["says"]
            assert (await wire.stack.call(call_id))["capture"] is None
            await until(lambda: b"event: service\n" in feed.raw, "the page to show it")
        await wire.voice()  # the call goes on
        (disk / "ballast").unlink()
        await fault_shown(wire, "payers", there=False)
        await wire.stack.start_capture(call_id, transaction="t-2")
        await wire.hang_up()


async def test_no_payment_begins_while_the_table_of_payments_cannot_be_written(
    peers: Peers, disk: Path
) -> None:
    async with line(peers, extra={"cdr": {"payments": str(disk / "payments.sqlite")}}) as wire:
        call_id = await wire.dial()
        fill(disk)
        fault = await fault_shown(wire, "payments")
        assert (fault["status"], fault["stops"]) == (503, "payments")
        assert "[cdr] payments" in fault["says"]
        order = {"transaction_id": "t-1", "amount": 100, "currency": "EUR"}
        answer = await wire.stack.api.post(f"/v1/calls/{call_id}/capture", json=order)
        assert (answer.status_code, answer.json()["detail"]) == (503, fault["says"])
        assert (await wire.stack.call(call_id))["masked"] is False
        await wire.voice()  # the call goes on
        (disk / "ballast").unlink()
        await fault_shown(wire, "payments", there=False)
        await wire.stack.start_capture(call_id, transaction="t-2")
        await wire.hang_up()


async def test_a_call_record_that_the_disk_does_not_take_reaches_the_database(
    peers: Peers, disk: Path
) -> None:
    expect_error("call_records_not_spooled")
    async with line(peers, extra={"cdr": {"spool": str(disk / "cdr.spool")}}) as wire:
        await wire.dial()
        fill(disk)
        fault = await fault_shown(wire, "records")
        assert (fault["status"], fault["stops"]) == (503, "records")
        await wire.hang_up()
        [record] = await until(wire.stack.records, "the record in the database")
        assert record["end"]
        (disk / "ballast").unlink()
        await fault_shown(wire, "records", there=False)
