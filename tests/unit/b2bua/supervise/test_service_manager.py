"""What the keeper is notified of, on a socket that a test reads as the keeper does."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import socket
from collections.abc import Callable, Iterator

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
from tonewall.keeper import DEAF, STORE, VARIABLE

WELL = Pulse(takes_calls=True, calls=3)
NO_MEDIA = Pulse(takes_calls=False, calls=0, faults=("media", "records"))


@pytest.fixture
def notified() -> Iterator[tuple[ServiceManager, Callable[[], list[str]]]]:
    ours, theirs = channel_pair()
    environment = {VARIABLE: str(theirs.detach())}
    with ours:
        manager = ServiceManager.of(environment)
        assert environment == {}
        assert manager.end is not None
        with manager.end as end:
            assert not end.get_inheritable()
            yield manager, lambda: ours.recv(4096).decode().split("\n")


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


async def test_nobody_is_notified_where_there_is_no_keeper_and_one_that_is_gone_ends_nothing() -> None:
    nobody = ServiceManager.of({})
    nobody.on_pulse(WELL)
    nobody.keep("calls", 0, note=b"")
    assert not nobody.keeps
    nobody.close()
    ours, theirs = channel_pair()
    theirs.setblocking(False)
    gone: list[str] = []
    manager, log = ServiceManager(theirs), io.StringIO()
    with configured("supervisor", "info", log):
        manager.follow(lambda: gone.append("keeper"))
        manager.on_pulse(WELL)
        assert ours.recv(4096) == b"WATCHDOG=1\nREADY=1\nSTATUS=3 calls"
        ours.send(DEAF + b"2")
        await until(log.getvalue, "the keeper's message")
        assert json.loads(log.getvalue())["why"] == "No such file or directory"
        manager.on_pulse(WELL)  # all of it again: systemd may be there by now
        assert ours.recv(4096) == b"WATCHDOG=1\nREADY=1\nSTATUS=3 calls"
        ours.close()
        await until(lambda: gone == ["keeper"], "its end")
        for _ in range(3):
            manager.on_pulse(WELL)
        manager.close()
        manager.on_pulse(WELL)
    assert log.getvalue().count("service_manager_not_notified") == 1


async def test_a_keeper_that_does_not_read_gets_what_is_to_be_kept_and_no_more_pulses() -> None:
    ours, theirs = channel_pair()
    theirs.setblocking(False)
    manager, file = ServiceManager(theirs), os.memfd_create("calls")
    for _ in range(20_000):
        manager.on_pulse(WELL)
    manager.keep("calls", file, note=b"")
    os.close(file)
    messages: list[tuple[bytes, list[int]]] = []

    def came() -> bool:
        with contextlib.suppress(BlockingIOError):
            while True:
                messages.append(socket.recv_fds(ours, 4096, 4)[:2])
        return messages[-1][0].startswith(STORE)

    await until(came, "the file")
    assert len(messages) < 10_000
    [kept] = messages[-1][1]
    os.close(kept)
    manager.close()
    ours.close()
