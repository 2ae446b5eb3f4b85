"""The spare b2bua and media: when it is started, how its turn comes, and what ends it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path

import pytest

from b2bua.supervise import succession
from tests.stack import until
from tests.unit.b2bua.supervise.played_machine import TOKEN, Machine, Process, running


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "LASTED", 0.0)


def turn_of(process: Process) -> bytes:
    """What a process was sent when its turn came; b"" where it was not."""
    number = json.loads(process.environment["TONEWALL_DESCRIPTORS"])["turn"]
    with socket.socket(fileno=os.dup(process.inherited[number])) as end:
        end.setblocking(False)
        try:
            return end.recv(1 << 16)
        except BlockingIOError:
            return b""


async def two(machine: Machine) -> list[Process]:
    """The b2bua that carries calls and the newest spare, of those that run."""

    def found() -> list[Process]:
        alive = [process for process in machine.of("b2bua.app") if process.running]
        return alive if len(alive) == 2 else []

    return await until(found, "a b2bua and a spare")


async def test_the_spare_goes_on_with_the_settings_of_its_turn_and_another_waits(
    machine: Machine, tmp_path: Path
):
    async with running(machine, tmp_path):
        first, spare = await two(machine)
        assert json.loads(turn_of(first))["TONEWALL_API_TOKENS"] == TOKEN
        assert turn_of(spare) == b""
        first.end(-9)
        assert await two(machine) != [first, spare]
        assert json.loads(turn_of(spare))["TONEWALL_API_TOKENS"] == TOKEN
        third = machine.of("b2bua.app")[-1]
        assert turn_of(third) == b""
        assert spare.running
    assert spare.signals == third.signals == ["TERM"]


async def test_a_spare_that_ends_is_replaced(machine: Machine, tmp_path: Path):
    async with running(machine, tmp_path):
        first, spare = await two(machine)
        spare.end(1)
        again = await two(machine)
        assert again[0] is first
        assert again[1] not in (first, spare)


async def test_media_has_a_spare_too_which_goes_on_with_the_same_socket_while_b2bua_lasts(
    machine: Machine, tmp_path: Path
):
    async with running(machine, tmp_path):
        media = await until(lambda: len(found := machine.of("media.process")) == 2 and found, "a spare")
        with socket.socket(socket.AF_UNIX) as b2bua:
            b2bua.connect(str(tmp_path / "run" / "media.sock"))  # though nobody accepts it yet
        assert (tmp_path / "run" / "media.sock").stat().st_mode & 0o777 == 0o600
        assert json.loads(turn_of(media[0]))["TONEWALL_MEDIA_PORTS"] == "30000-30099"
        assert turn_of(media[1]) == b""
        media[0].end(-9)
        await until(lambda: len(machine.of("media.process")) == 3, "another spare")
        assert json.loads(turn_of(media[1]))["TONEWALL_MEDIA_PORTS"] == "30000-30099"
        assert all(process.running for process in machine.of("b2bua.app"))
        tables = [
            json.loads(each.environment["TONEWALL_DESCRIPTORS"]) for each in machine.of("media.process")
        ]
        assert len({table["media_sock"] for table in tables}) == 1
        assert len({table["streams"] for table in tables}) == 1
        for process in machine.started:
            if process.module != "media.process":
                assert tables[0]["streams"] not in process.handed
    assert machine.of("media.process")[-1].signals == ["TERM"]


async def test_a_b2bua_that_does_not_last_has_no_spare(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(succession, "LASTED", 3600.0)
    async with running(machine, tmp_path):
        for count in (1, 2, 3):
            alive = await until(
                lambda count=count: len(machine.of("b2bua.app")) == count and machine.of("b2bua.app"),
                "the next b2bua",
            )
            await asyncio.sleep(0)
            assert [process for process in alive if process.running] == alive[-1:]
            alive[-1].end(-11)
