"""A disk that is full or read-only: payments stop before the customer keys, calls go on, and no
call record is lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.complaints import expect_error, permit_error
from tests.stack import until
from tests.wire.audited import AuditLog
from tests.wire.conftest import Peers
from tests.wire.disk import fault_shown, fill, small_disk
from tests.wire.line import line

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system takes root")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    with small_disk(tmp_path / "disk") as path:
        yield path


@pytest.fixture(params=[False, True], ids=["plain", "audited"])
def audit(request: pytest.FixtureRequest, disk: Path) -> dict[str, dict[str, str]]:
    """More of sip.conf: without an audit log, and with one on the same disk, which is not
    required."""
    if not request.param:
        return {}
    permit_error("audit_not_written", why="No space left on device")
    return {"audit": AuditLog(disk, required=False).settings}


async def test_no_payment_begins_while_the_journal_cannot_be_written(
    peers: Peers, disk: Path, audit: dict[str, dict[str, str]]
) -> None:
    expect_error("journal_failed", setting="[provider] journal", why="No space left on device")
    expect_error("restarting", child="payer")
    async with line(peers, extra={"provider": {"journal": str(disk / "journal.jsonl")}, **audit}) as wire:
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
    peers: Peers, disk: Path, audit: dict[str, dict[str, str]]
) -> None:
    async with line(peers, extra={"cdr": {"payments": str(disk / "payments.sqlite")}, **audit}) as wire:
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
