"""Requests in the audit log: each that changes something, before and after it is carried out, by
name, and what becomes of them where the log cannot be written."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from b2bua.api.description import read_operations
from b2bua.audit.entry import ALWAYS_DONE
from b2bua.audit.log_file import LogFile
from b2bua.audit.recorder import NotWritten, Recorder
from b2bua.audit.verify import log_files, verify
from b2bua.call.service_view import Stops
from tests.browser.fake_desk import FakeDesk
from tests.unit.b2bua.api.audited_app import KEY, Disk, served

ORDER = {"transaction_id": "INV-2041", "amount": 4990, "currency": "EUR"}


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "audit")


@pytest.fixture
def desk() -> FakeDesk:
    desk = FakeDesk()
    desk.up()
    return desk


async def test_a_request_stands_in_the_log_before_it_is_carried_out_and_with_its_result(
    disk: Disk, desk: FakeDesk
) -> None:
    async with served(disk, desk) as (client, _):
        asked = (await client.post("/v1/calls/c-1/capture", json=ORDER)).status_code
        gone = (await client.delete("/v1/calls/nobody/capture")).status_code
        await client.get("/v1/calls")
        await client.get("/v1/payments")
    assert (asked, gone) == (201, 404)
    about = {"at": "2026-11-30T00:53:20.000Z", "who": "ann", "source": "192.0.2.7", "configuration": "c0ffee"}
    start, cancel = {"what": "start_payment", "call": "c-1"}, {"what": "cancel_payment", "call": "nobody"}
    known = {"credential": "token:ann"}
    done, gone_before = {"status": 201}, {"status": 404}
    assert disk.entries() == [
        {"number": 2, "result": "asked", "details": known, **about, **start},
        {"number": 3, "result": "done", "of": 2, "details": done, **about, **start},
        {"number": 4, "result": "asked", "details": known, **about, **cancel},
        {"number": 5, "result": "refused", "of": 4, "details": gone_before, **about, **cancel},
    ]
    assert verify(disk.directory, KEY.public_key()).findings == []


async def test_the_entry_is_on_disk_when_the_desk_is_asked(disk: Disk, desk: FakeDesk) -> None:
    seen: list[list[str]] = []
    real = desk.start_capture

    async def start(*given: Any, **named: Any) -> Any:
        seen.append([f"{each['what']} {each['result']}" for each in disk.entries()])
        return await real(*given, **named)

    desk.start_capture = start  # type: ignore[method-assign]
    async with served(disk, desk) as (client, _):
        await client.post("/v1/calls/c-1/capture", json=ORDER)
    assert seen == [["start_payment asked"]]


async def test_neither_strangers_nor_requests_that_there_are_not_are_written(
    disk: Disk, desk: FakeDesk
) -> None:
    async with served(disk, desk, token="nobody-knows-this-token") as (client, _):
        assert (await client.post("/v1/calls/c-1/capture", json=ORDER)).status_code == 401
    async with served(disk, desk) as (client, _):
        assert (await client.post("/v1/calls/c-1/nothing", json={})).status_code == 404
        assert (await client.put("/v1/calls/c-1/capture", json={})).status_code == 405
    assert disk.entries() == []


async def test_a_call_is_named_by_its_own_id_whatever_the_path_calls_it(
    disk: Disk, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = desk.find_call
    monkeypatch.setattr(desk, "find_call", lambda name: real("c-1" if name.endswith("4930123") else name))
    async with served(disk, desk) as (client, _):
        for name in ("caller:+4930123", "caller:+4930124", "9f0c@192.0.2.7"):
            await client.delete(f"/v1/calls/{name}/capture")
    named = [each["call"] for each in disk.entries() if each["result"] == "asked"]
    assert named == ["c-1", "by another name", "by another name"]


async def test_bodies_are_not_in_the_log(disk: Disk, desk: FakeDesk) -> None:
    async with served(disk, desk) as (client, _):
        await client.post("/v1/calls/c-1/capture", json={**ORDER, "description": "zebra"})
    (path,) = log_files(disk.directory)
    assert b"zebra" not in path.read_bytes()
    assert b"INV-2041" not in path.read_bytes()


RELEASES = ("mask/release", "capture/reset")
# As a client writes them that has taken one field for another.
NAMES = ("4111111111111111", "caller:+4930123456", "4111 1111 1111 1111", "4111-1111-1111-1111", "a" * 200)


@pytest.mark.parametrize("name", NAMES)
async def test_no_number_that_stands_in_a_path_is_written(
    disk: Disk, desk: FakeDesk, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = (
        f"/v1/calls/{name}/capture/submit", f"/v1/payments/{name}/refunds", f"/v1/payments/{name}/voids",
        f"/v1/payments/{name}/start", f"/v1/payments/{name}/link/close",
    )  # fmt: skip
    settled = {"outcome": "approved", "reference": "ch_7f3a"}
    async with served(disk, desk) as (client, _):
        for path in paths:
            await client.post(path)
        await client.delete(f"/v1/payments/{name}")
        await client.post(f"/v1/payments/{name}/settlement", json=settled)
    asked = [each for each in disk.entries() if each["result"] == "asked"]
    assert [each.get("call") or each.get("payment") for each in asked] == ["by another name"] * 7
    logged = capsys.readouterr().out
    assert "agent_request" in logged
    assert name not in logged + str(disk.entries())


@pytest.mark.parametrize("required", [False, True])
async def test_where_the_log_cannot_be_written_payments_stop_only_if_it_is_required(
    disk: Disk, desk: FakeDesk, required: bool
) -> None:
    disk.is_full = True
    async with served(disk, desk, required=required) as (client, recorder):
        answer = await client.post("/v1/calls/c-1/capture", json=ORDER)
        assert answer.status_code == (503 if required else 201)
        fault = recorder.fault()
        assert fault is not None
        assert fault.stops is (Stops.PAYMENTS if required else None)
        assert "No space left on device" in fault.says
        if required:
            assert "audit log" in answer.json()["detail"]
        # What ends a payment is done all the same.
        assert (await client.delete("/v1/calls/c-1/capture")).status_code in (200, 409)
        disk.is_full = False
        await client.delete("/v1/calls/c-1/capture")
        assert recorder.fault() is None
    first = disk.entries()[0]
    assert (first["what"], first["who"]) == ("audit_lost", "tonewall")
    assert first["details"]["entries"] == (3 if required else 4)
    assert verify(disk.directory, KEY.public_key()).findings == []


async def test_what_ends_a_mask_a_payment_or_a_code_is_done_without_a_log(disk: Disk, desk: FakeDesk) -> None:
    disk.is_full = True
    ends = "/v1/calls/c-1/mask", "/v1/calls/c-1/capture", "/v1/payments/p-1", "/v1/claims/a-claim"
    async with served(disk, desk, required=True) as (client, _):
        answers = [(await client.delete(path)).status_code for path in ends]
        answers += [(await client.post(f"/v1/calls/c-1/{each}")).status_code for each in RELEASES]
    assert 503 not in answers


async def test_what_is_always_done_are_operations_of_the_api() -> None:
    names = {each.name for path in read_operations().values() for each in path.values()}
    assert names >= ALWAYS_DONE


async def test_a_closed_log_keeps_nobody_waiting(disk: Disk) -> None:
    recorder = Recorder(disk.open, lambda: 0.0)
    writing = asyncio.create_task(recorder.run())
    entry = recorder.entry("ann", "submit_card", "asked")  # type: ignore[arg-type]
    assert await recorder.write(entry) == 2
    await recorder.end()
    await writing
    with pytest.raises(NotWritten, match="closed"):
        await recorder.write(entry)


async def test_whatever_ends_the_writer_nobody_waits_for_ever(disk: Disk) -> None:
    def fail() -> LogFile:
        raise ZeroDivisionError

    recorder = Recorder(fail, lambda: 0.0)
    writing = asyncio.create_task(recorder.run())
    with pytest.raises(NotWritten):
        await recorder.write(recorder.entry("ann", "submit_card", "asked"))  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        await writing


async def test_a_disk_that_hangs_keeps_nobody_from_ending_a_payment(disk: Disk) -> None:
    hangs = threading.Event()

    def open_log() -> LogFile:
        hangs.wait(30)
        return disk.open()

    recorder = Recorder(open_log, lambda: 0.0, required=True, waits=0.05)
    writing = asyncio.create_task(recorder.run())
    with pytest.raises(NotWritten, match="does not answer"):
        await recorder.write(recorder.entry("ann", "cancel_payment", "asked"))  # type: ignore[arg-type]
    fault = recorder.fault()
    assert fault is not None
    assert fault.stops is Stops.PAYMENTS
    hangs.set()
    await recorder.end()
    await writing
    assert recorder.fault() is None
    assert [each["what"] for each in disk.entries()] == ["cancel_payment"], "it is there, and counts as none"


async def test_entries_of_many_tasks_are_written_in_order_and_each_once(disk: Disk) -> None:
    recorder = Recorder(disk.open, lambda: 0.0)
    writing = asyncio.create_task(recorder.run())
    entries = [recorder.entry(f"agent-{number}", "submit_card", "asked") for number in range(200)]  # type: ignore[arg-type]
    numbers = await asyncio.gather(*(recorder.write(entry) for entry in entries))
    await recorder.end()
    await writing
    by_number = {each["number"]: each["who"] for each in disk.entries()}
    assert [by_number[number] for number in numbers] == [entry.who for entry in entries]
    assert len(by_number) == 200
