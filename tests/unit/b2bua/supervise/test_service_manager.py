"""What systemd is notified of, on a socket that a test reads as systemd does."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from b2bua.call.service_view import Fault, Stops
from b2bua.supervise.child import channel_pair
from b2bua.supervise.service_manager import ServiceManager
from b2bua.supervise.signalling_channel import SignallingChannel
from b2bua.switchboard.pulse import Pulse, send_pulses, take_pulse
from b2bua.switchboard.supervised import DrainCalls
from tests.browser.fake_desk import FakeDesk
from tests.configured_log import configured
from tests.stack import until

WELL = Pulse(takes_calls=True, calls=3)
NO_MEDIA = Pulse(takes_calls=False, calls=0, faults=("media", "records"))


@pytest.fixture(params=["path", "abstract"])
def notified(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[ServiceManager, Callable[[], list[str]]]]:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as systemd:
        systemd.bind(path if request.param == "path" else f"\0{path}")
        manager = ServiceManager.of({"NOTIFY_SOCKET": path if request.param == "path" else f"@{path}"})

        def read() -> list[str]:
            return systemd.recv(4096).decode().split("\n")

        yield manager, read


def test_it_is_ready_once_calls_are_taken_and_alive_with_each_pulse(
    notified: tuple[ServiceManager, Callable[[], list[str]]],
) -> None:
    manager, read = notified
    manager.on_pulse(NO_MEDIA)
    assert read() == ["WATCHDOG=1", "STATUS=No calls are accepted; faults: media, records"]
    manager.on_pulse(WELL)
    assert read() == ["WATCHDOG=1", "READY=1", "STATUS=3 calls"]
    manager.on_pulse(WELL)
    assert read() == ["WATCHDOG=1"]
    manager.on_pulse(NO_MEDIA)
    assert read() == ["WATCHDOG=1", "STATUS=No calls are accepted; faults: media, records"]
    manager.drain()
    assert (stopping := read())[0] == "STOPPING=1"
    manager.on_pulse(Pulse(takes_calls=False, calls=2, faults=("draining",)))
    [_, extended, status] = read()
    assert extended in stopping  # the time that a stop may take, anew with each pulse
    assert extended.startswith("EXTEND_TIMEOUT_USEC=")
    assert status.endswith("; 2 calls left")
    manager.stop()
    assert read()[0] == "STOPPING=1"
    manager.on_pulse(WELL)
    with pytest.raises(BlockingIOError):
        read()


async def test_the_pulse_of_one_b2bua_after_another_is_followed(
    notified: tuple[ServiceManager, Callable[[], list[str]]],
) -> None:
    manager, read = notified
    desk, signalling = FakeDesk(), SignallingChannel(manager.on_pulse)
    for expected in (["WATCHDOG=1", "READY=1", "STATUS=0 calls"], ["WATCHDOG=1"]):
        ours, theirs = channel_pair()
        with ours, signalling.following(ours):
            theirs.setblocking(False)
            assert not signalling.drain()  # it carries no call yet
            pulses = asyncio.create_task(send_pulses(desk, theirs))
            seen: list[str] = []

            def came(seen: list[str] = seen) -> list[str]:
                with contextlib.suppress(BlockingIOError):
                    seen += read()
                return seen

            assert await until(came, "a notification") == expected
            assert signalling.drain()
            assert msgspec.json.decode(theirs.recv(100), type=DrainCalls) == DrainCalls()
            pulses.cancel()
            await asyncio.gather(pulses, return_exceptions=True)
            theirs.close()
            await until(lambda: not signalling.drain(), "its end to be seen")


def test_a_pulse_says_which_faults_there_are() -> None:
    desk = FakeDesk()
    desk.fail(Fault(what="media", says="away", stops=Stops.CALLS), Fault(what="links", says="-", stops=None))
    assert take_pulse(desk) == Pulse(takes_calls=False, calls=0, faults=("media", "links"))
    assert msgspec.json.decode(msgspec.json.encode(WELL), type=Pulse) == WELL


async def test_nobody_is_notified_where_nobody_asked_and_a_socket_that_is_gone_ends_nothing(
    tmp_path: Path,
) -> None:
    ServiceManager.of({}).on_pulse(WELL)
    log = io.StringIO()
    with configured("supervisor", "info", log):
        manager = ServiceManager(str(tmp_path / "gone"))
        for _ in range(3):
            manager.on_pulse(WELL)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(tmp_path / "gone"))
            manager.on_pulse(WELL)
            assert systemd.recv(4096) == b"WATCHDOG=1\nREADY=1\nSTATUS=3 calls"
    assert log.getvalue().count("service_manager_not_notified") == 1
