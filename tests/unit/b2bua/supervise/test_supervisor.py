"""The supervisor over processes that the test plays: who gets which settings, who is started again,
and who ends when."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from b2bua.supervise import child
from b2bua.supervise.supervisor import Supervisor
from b2bua.switchboard.pulse import Pulse
from tests.configured_log import configured
from tests.stack import until
from tests.unit.b2bua.supervise.played_machine import (
    KEY,
    PASSWORD,
    SIGNING,
    TOKEN,
    Machine,
    Process,
    running,
    settings,
)

WITHOUT_CARDS = ("b2bua.app",)


@pytest.fixture
def said() -> Iterator[Callable[[], list[dict[str, object]]]]:
    """What the supervisor logs."""
    file = io.StringIO()
    with configured("supervisor", "info", file):
        yield lambda: [json.loads(line) for line in file.getvalue().splitlines()]


def channel(media: Process) -> socket.socket:
    """The end of its channel that media was given, after it was told that nothing was kept."""
    end = socket.socket(fileno=os.dup(media.handed[0]))
    assert end.recv(100) == b'{"type":"all"}'
    return end


async def test_every_process_is_told_its_own_settings_and_no_others(machine: Machine, tmp_path: Path):
    async with running(machine, tmp_path):
        given = {
            process.module: {name for name in process.environment if name.startswith("TONEWALL_")}
            - {"TONEWALL_SUPERVISOR", "TONEWALL_LOG_SETTINGS", "TONEWALL_DESCRIPTORS"}
            for process in machine.started
        }
    sections = {module: {name.split("_")[1] for name in names} for module, names in given.items()}
    assert sections == {
        "media.process": {"MEDIA", "GENERAL"},
        "media.decoder.process": set(),
        "provider_adapters.payer.process": {"PROVIDER", "SECTIONS"},
        "provider_adapters.reconciler.process": {"PROVIDER", "SECTIONS"},
        "provider_adapters.webhook.process": {"WEBHOOKS"},
        "b2bua.app": {
            "GENERAL", "CARRIER", "PBX", "SECTIONS", "API", "CDR", "LINKS", "FEATURE", "AUDIT", "NOTIFY",
            "ACCESS", "OAUTH", "OIDC", "SHARED", "RETIRED",
        },
    }  # fmt: skip
    assert {name for name in given["media.process"] if "GENERAL" in name} == {
        "TONEWALL_GENERAL_GUARD_TIME",
        "TONEWALL_GENERAL_RELEASE_TIME",
    }
    for process in machine.started:
        everything = " ".join((*process.arguments, *process.environment.values()))
        has_key = process.module in {
            "provider_adapters.payer.process", "provider_adapters.reconciler.process",
        }  # fmt: skip
        assert (KEY in everything) is has_key
        assert (SIGNING in everything) is (process.module == "provider_adapters.webhook.process")
        assert (PASSWORD in everything) is (process.module == "b2bua.app")
        assert (TOKEN in everything) is (process.module == "b2bua.app")
        assert process.environment["TONEWALL_SUPERVISOR"] == str(os.getpid())
        assert ("tcache_count=0" in process.environment.get("GLIBC_TUNABLES", "")) is (
            process.module not in WITHOUT_CARDS
        )
        assert (process.environment.get("PYTHONMALLOC") == "malloc") is (process.module not in WITHOUT_CARDS)
        for secret in (KEY, PASSWORD, TOKEN, SIGNING):
            assert not any(secret in argument for argument in process.arguments)


async def test_the_directory_of_sockets_is_private(machine: Machine, tmp_path: Path):
    async with running(machine, tmp_path):
        assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


async def test_media_is_handed_every_payer_on_a_channel_of_its_own(machine: Machine, tmp_path: Path):
    async with running(machine, tmp_path, ready=2):
        with channel(machine.of("media.process")[0]) as given:
            handed = [socket.recv_fds(given, 16, 1)[:2] for _ in range(3)]
            assert [message for message, _ in handed].count(b"decoder") == 1
            for number in (numbers[0] for message, numbers in handed if message == b"decoder"):
                os.close(number)
            payers = [numbers for message, numbers in handed if message == b"payer"]
            for payer, numbers in zip(machine.of("provider_adapters.payer.process"), payers, strict=True):
                with (
                    socket.socket(fileno=numbers[0]) as pipe,
                    socket.socket(fileno=os.dup(payer.handed[0])) as end,
                ):
                    pipe.send(b"?")
                    assert end.recv(1) == b"?"


async def test_a_process_that_is_killed_is_said_and_started_again(
    machine: Machine, tmp_path: Path, said: Callable[[], list[dict[str, object]]]
):
    async with running(machine, tmp_path):
        machine.of("b2bua.app")[0].end(-9)
        await until(lambda: len(machine.of("b2bua.app")) == 2, "a process")
        assert machine.of("media.process")[0].running
        (entry,) = [entry for entry in said() if entry["event"] == "restarting"]
        assert (entry["child"], entry["status"], entry["signal"], entry["level"]) == (
            "b2bua",
            -9,
            "SIGKILL",
            "error",
        )


async def test_a_process_that_cannot_be_made_is_tried_again_and_the_others_go_on(
    machine: Machine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: Callable[[], list[dict[str, object]]],
):
    async def none_to_be_had(*_: str, **_options: object) -> Process:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    async with running(machine, tmp_path) as supervisor:
        with monkeypatch.context() as short:
            short.setattr(asyncio, "create_subprocess_exec", none_to_be_had)
            machine.of("provider_adapters.payer.process")[0].end(0)
            await until(
                lambda: any(entry["event"] == "process_not_started" for entry in said()), "a failed start"
            )
        await until(lambda: len(machine.of("provider_adapters.payer.process")) == 2, "a payer")
        assert machine.of("media.process")[0].running
        assert machine.of("b2bua.app")[0].running
        assert supervisor is not None


@pytest.mark.parametrize("module", ["provider_adapters.payer.process", "media.decoder.process"])
async def test_media_that_ends_while_another_process_is_started_does_not_end_the_rest(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
):
    async def start_slowly(*arguments: str, **options: object) -> Process:
        process = await machine.start(*arguments, **options)
        if module in arguments and len(machine.of(module)) == 2:
            machine.of("media.process")[0].end(-9)
            await until(lambda: not supervisor.channel.is_open, "the end of media to be seen")
        return process

    async with running(machine, tmp_path) as supervisor:
        monkeypatch.setattr(asyncio, "create_subprocess_exec", start_slowly)
        machine.of(module)[0].end(0)
        await until(lambda: len(machine.of("media.process")) == 2, "media")
        machine.of(module)[1].end(0)  # its socket leads nowhere
        await until(lambda: len(machine.of(module)) == 3, "another that media gets")
        assert machine.of("b2bua.app")[0].running


async def test_media_that_is_started_again_gets_a_new_channel_and_payers(machine: Machine, tmp_path: Path):
    async with running(machine, tmp_path):
        machine.of("media.process")[0].end(-11)
        machine.of("provider_adapters.payer.process")[0].end(0)  # its socket to media is closed
        machine.of("media.decoder.process")[0].end(0)  # and so is its own
        await until(
            lambda: all(
                len(machine.of(name)) == 2
                for name in ("provider_adapters.payer.process", "media.decoder.process")
            ),
            "both",
        )
        with channel(machine.of("media.process")[1]) as given:
            messages = set()
            for _ in range(2):
                message, numbers, _, _ = socket.recv_fds(given, 16, 1)
                os.close(numbers[0])
                messages.add(message)
            assert messages == {b"payer", b"decoder"}


async def test_what_fails_at_once_is_started_again_more_slowly_each_time(
    machine: Machine, tmp_path: Path, said: Callable[[], list[dict[str, object]]]
):
    async with running(machine, tmp_path):
        for count in range(1, 4):
            await until(lambda count=count: len(machine.of("b2bua.app")) == count, "a process")
            machine.of("b2bua.app")[-1].end(1)
        await until(
            lambda: len([entry for entry in said() if entry["event"] == "restarting"]) == 3, "three restarts"
        )
        pauses = [entry["seconds"] for entry in said() if entry["event"] == "restarting"]
    assert pauses == [0.2, 0.4, 0.8]


async def test_a_payer_that_has_a_charge_is_replaced_while_it_works(machine: Machine, tmp_path: Path):
    async with running(machine, tmp_path):
        first = machine.of("provider_adapters.payer.process")[0]
        with channel(machine.of("media.process")[0]) as given:
            given.send(first.pid.to_bytes(4, "big"))
            await until(lambda: len(machine.of("provider_adapters.payer.process")) == 2, "a process")
        assert first.running


async def test_a_payer_that_is_done_is_replaced_without_a_word(
    machine: Machine, tmp_path: Path, said: Callable[[], list[dict[str, object]]]
):
    async with running(machine, tmp_path):
        machine.of("provider_adapters.payer.process")[0].end(0)
        await until(lambda: len(machine.of("provider_adapters.payer.process")) == 2, "a process")
        assert [entry for entry in said() if entry["event"] == "restarting"] == []


async def test_calls_end_before_their_media_and_charges_are_waited_for(machine: Machine, tmp_path: Path):
    supervisor = Supervisor(settings(tmp_path))
    task = asyncio.create_task(supervisor.run())
    await until(lambda: len(machine.started) == 6, "a process")
    (b2bua,), (media,), (payer,) = (
        machine.of(name) for name in ("b2bua.app", "media.process", "provider_adapters.payer.process")
    )
    b2bua.stubborn = True
    supervisor.stop()
    await until(lambda: b2bua.signals, "SIGTERM to b2bua")
    assert media.signals == []
    b2bua.end(0)
    await until(lambda: media.signals, "SIGTERM to media")
    assert payer.signals == []  # it may be charging
    assert not task.done()
    payer.end(0)
    await asyncio.wait_for(task, 5)
    assert len(machine.started) == 6


async def test_what_does_not_stop_is_killed(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(child, "GRACE", 0.02)
    async with running(machine, tmp_path):
        (media,) = machine.of("media.process")
        media.stubborn = True
    assert media.signals == ["TERM", "KILL"]


def pulse_of(b2bua: Process, *faults: str) -> socket.socket:
    """The end of b2bua's channel that it was given, after it sent a pulse."""
    end = socket.socket(fileno=os.dup(b2bua.handed[0]))
    end.setblocking(False)
    end.send(msgspec.json.encode(Pulse(takes_calls=not faults, calls=1, faults=faults)))
    return end


def asked(end: socket.socket) -> list[object]:
    """What b2bua is asked for, so far."""
    requests = []
    with contextlib.suppress(BlockingIOError):
        while packet := end.recv(100):
            requests.append(msgspec.json.decode(packet))
    return requests


async def test_the_first_end_drains_and_all_others_go_on_meanwhile(machine: Machine, tmp_path: Path):
    async with running(machine, tmp_path, drain_time="600") as supervisor:
        [b2bua] = machine.of("b2bua.app")
        with pulse_of(b2bua) as end:
            await until(lambda: supervisor.signalling.lives, "a pulse")
            supervisor.end()
            assert asked(end) == [{"type": "drain"}]
        assert b2bua.signals == []
        machine.of("provider_adapters.payer.process")[0].end(0)  # it has charged
        await until(lambda: len(machine.of("provider_adapters.payer.process")) == 2, "another payer")
        b2bua.end(-9)
        await until(lambda: len(machine.of("b2bua.app")) == 2, "b2bua again")
        again = machine.of("b2bua.app")[1]
        with pulse_of(again) as end:
            found: list[object] = []
            await until(lambda: found.extend(asked(end)) or found, "the wish for a drain")
        with pulse_of(again, "draining") as end:
            again.end(0)  # no call is left
            await until(lambda: machine.of("media.process")[0].signals, "the end of media")
            assert asked(end) == []
        assert len(machine.of("b2bua.app")) == 2


@pytest.mark.parametrize("why", ["second", "no pulse", "no drain_time", "time over"])
async def test_an_end_that_waits_for_nothing(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
):
    monkeypatch.setattr("b2bua.supervise.supervisor._DRAIN_GRACE", 0.0)
    drain_time = {"no drain_time": "0", "time over": "0.1"}.get(why, "600")
    async with running(machine, tmp_path, drain_time=drain_time) as supervisor:
        [b2bua] = machine.of("b2bua.app")
        if why != "no pulse":
            pulse_of(b2bua).close()
            await until(lambda: supervisor.signalling.lives, "a pulse")
        supervisor.end()
        if why == "second":
            assert b2bua.signals == []
            supervisor.end()
        await until(lambda: b2bua.signals == ["TERM"], "SIGTERM to b2bua")
