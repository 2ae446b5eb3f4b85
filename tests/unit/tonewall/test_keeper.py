"""The keeper: what it keeps, and for whom, when it starts the supervisor again, and how it ends.

The supervisor is a process whose socket to the keeper the test has.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import played_supervisor
from tests.stack import PATIENCE, until
from tonewall.keeper import (
    ALL,
    DEAF,
    EMPTIED,
    HERE,
    LONG_ENOUGH,
    NAME,
    REMOVE,
    STORE,
    TRIES,
    Deaths,
    Store,
)

_RUNS = (
    "import os, sys; from tonewall.keeper import Keeper; s = Keeper(sys.argv[1:], os.environ).run();"
    " sys.exit(os.WEXITSTATUS(s) if os.WIFEXITED(s) else 100 + os.WTERMSIG(s))"
)


def store(name: bytes, *more: bytes) -> bytes:
    return b"\n".join((STORE, NAME + name, *more))


def remove(name: bytes) -> bytes:
    return b"\n".join((REMOVE, NAME + name))


def inodes(descriptors: list[int] | tuple[int, ...]) -> list[int]:
    """Which files they are of; they are closed."""
    found = [os.fstat(each).st_ino for each in descriptors]
    for each in descriptors:
        os.close(each)
    return found


@pytest.fixture
def files() -> Iterator[list[int]]:
    made = [os.memfd_create(f"file{number}") for number in range(4)]
    yield made
    for each in made:
        os.close(each)


# --- the parts ------------------------------------------------------------------------------------


def test_what_is_kept_is_found_by_its_name_alone_and_is_bounded(files: list[int]) -> None:
    kept = Store(5)
    assert kept.receive(store(b"a"), files[:1])
    assert kept.receive(store(b"b"), files)
    assert [message for message, _ in kept.messages()] == [store(b"a"), store(b"b")]
    kept.receive(store(b"c"), files[:1])  # there is no room
    assert len(kept) == 2
    before = len(os.listdir("/proc/self/fd"))
    kept.receive(store(b"b"), files[:2])  # in place of what it was
    assert len(os.listdir("/proc/self/fd")) == before - 2
    kept.receive(store(b"c", HERE), files[:1])
    kept.receive(store(b"d"), [])  # it was cut off
    kept.receive(STORE, files[:1])  # without a name
    assert [message for message, _ in kept.messages()] == [store(b"a"), store(b"b"), store(b"c", HERE)]
    assert not kept.receive(b"WATCHDOG=1\nFDNAME=a", [])
    assert kept.receive(remove(b"a"), [])
    assert kept.receive(remove(b"nobody"), [])
    assert len(kept) == 2
    kept.clear()
    assert len(os.listdir("/proc/self/fd")) == before - 5


def test_what_cannot_be_copied_whole_is_not_kept_and_leaves_nothing_open(
    files: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, copied, dup = Store(5), [], os.dup

    def scarce(number: int) -> int:
        if len(copied) == 1:
            raise OSError(24, "Too many open files")
        copied.append(dup(number))
        return copied[-1]

    kept.receive(b"FDSTORE=1\nFDNAME=a", files[:1])
    monkeypatch.setattr(os, "dup", scarce)
    assert kept.receive(b"FDSTORE=1\nFDNAME=a", files[:2])
    assert len(kept) == 0  # what the name had before is another stream's
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(copied[0])


def test_a_supervisor_is_started_again_at_once_then_slower_without_what_is_kept_and_in_the_end_not() -> None:
    deaths = Deaths()
    assert deaths.count(LONG_ENOUGH, was_ready=False) is None
    pauses = []
    for number in range(1, 2 * TRIES + 1):
        pauses.append(deaths.count(0.0, was_ready=True))
        assert deaths.empties is (number == TRIES)
    assert pauses[0] == 0.0
    assert pauses[1:] == sorted(pauses[1:])
    assert 0 < pauses[1] < pauses[-1] == 5.0
    assert deaths.count(LONG_ENOUGH, was_ready=True) == 0.0
    assert deaths.in_a_row == 1
    for _ in range(2 * TRIES - 1):
        assert deaths.count(0.0, was_ready=True) is not None
    assert deaths.count(0.0, was_ready=True) is None


# --- the process ----------------------------------------------------------------------------------


@dataclass
class Played:
    """A supervisor. `keeper`: its socket to it; `said`: where its signals come."""

    pid: int
    keeper: socket.socket
    said: socket.socket

    async def hear(self) -> tuple[bytes, list[int]]:
        """The next message of the keeper."""

        def read() -> tuple[bytes, list[int]] | None:
            try:
                message, descriptors, _, _ = socket.recv_fds(self.keeper, 4096, 8)
            except BlockingIOError:
                return None
            return message, descriptors

        return await until(read, "a message of the keeper")

    async def kept(self) -> tuple[dict[bytes, list[int]], list[bytes]]:
        """The files that are kept by the message of each, and the lines of the last message."""
        found: dict[bytes, list[int]] = {}
        while not (heard := await self.hear())[0].startswith(ALL):
            found[heard[0]] = inodes(heard[1])
        return found, heard[0].split(b"\n")

    def say(self, message: bytes, descriptors: list[int] | None = None) -> None:
        if descriptors:
            socket.send_fds(self.keeper, [message], descriptors)
        else:
            self.keeper.send(message)

    async def signalled(self) -> str:
        return (await asyncio.get_running_loop().sock_recv(self.said, 20)).decode()


@dataclass
class Kept:
    """A keeper, and the supervisors that it starts one after another."""

    process: subprocess.Popen[bytes]
    listener: socket.socket

    async def supervisor(self) -> Played:
        loop = asyncio.get_running_loop()
        said, _ = await asyncio.wait_for(loop.sock_accept(self.listener), PATIENCE)
        said.setblocking(True)
        text, [number], _, _ = socket.recv_fds(said, 20, 1)
        said.setblocking(False)
        keeper = socket.socket(fileno=number)
        keeper.setblocking(False)
        return Played(int(text), keeper, said)

    async def status(self) -> int:
        await until(lambda: self.process.poll() is not None, "the keeper's end")
        return self.process.returncode


@contextlib.asynccontextmanager
async def keeper(directory: Path, manager: str = "") -> AsyncIterator[Kept]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path := str(directory / "played"))
        listener.listen()
        listener.setblocking(False)
        command = [sys.executable, played_supervisor.__file__, path]
        environment = dict(os.environ) | ({"NOTIFY_SOCKET": manager} if manager else {})
        with subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [sys.executable, "-c", _RUNS, *command], env=environment
        ) as process:
            try:
                yield Kept(process, listener)
            finally:
                process.kill()


async def test_what_one_supervisor_had_kept_is_the_next_ones_and_signals_reach_it(
    tmp_path: Path, files: list[int]
) -> None:
    async with keeper(tmp_path) as at:
        first = await at.supervisor()
        assert await first.kept() == ({}, [ALL])
        assert os.getsid(first.pid) == first.pid  # Ctrl-C is the keeper's
        for name, several in ((b"calls", files[:1]), (b"stream", files), (b"gone", files[:1])):
            first.say(store(name, HERE, b"note=" + name), several)
        first.say(remove(b"gone"))
        first.say(b"READY=1")
        for number in (signal.SIGHUP, signal.SIGINT):
            at.process.send_signal(number)
            assert await first.signalled() == number.name
        os.kill(first.pid, signal.SIGKILL)

        second = await at.supervisor()
        found, news = await second.kept()
        assert list(found.values()) == [
            [os.fstat(each).st_ino for each in several] for several in (files[:1], files)
        ]
        assert [message.split(b"\n")[-1] for message in found] == [b"note=calls", b"note=stream"]
        assert news == [ALL, b"SIGNAL=9", b"DEATHS=1"]
        second.say(b"READY=1")
        # An end that was begun goes on in the next one.
        assert await second.signalled() == "SIGINT"
        at.process.send_signal(signal.SIGTERM)
        assert await at.status() == 3


async def test_more_than_a_socket_holds_is_handed_over(tmp_path: Path, files: list[int]) -> None:
    async with keeper(tmp_path) as at:
        first = await at.supervisor()
        await first.kept()
        first.keeper.setblocking(True)
        for number in range(1500):
            first.say(store(b"%d" % number, HERE), files)
        first.say(b"READY=1")
        os.kill(first.pid, signal.SIGKILL)  # it is dead before all of it is read
        found, _ = await (await at.supervisor()).kept()
        assert len(found) == 1500
        assert all(len(each) == 4 for each in found.values())
        at.process.send_signal(signal.SIGTERM)
        assert await at.status() == 3


async def test_what_kills_each_supervisor_is_dropped_and_no_supervisor_that_was_never_ready_is_followed(
    tmp_path: Path, files: list[int]
) -> None:
    async with keeper(tmp_path) as at:
        for death in range(1, TRIES + 1):
            each = await at.supervisor()
            await each.kept()
            each.say(store(b"calls", HERE), files[:1])
            each.say(b"READY=1")
            os.kill(each.pid, signal.SIGKILL)
            if death < TRIES:
                assert at.process.poll() is None
        last = await at.supervisor()
        assert await last.kept() == ({}, [ALL, b"SIGNAL=9", b"DEATHS=%d" % TRIES, EMPTIED])
        at.process.send_signal(signal.SIGTERM)
        assert await at.status() == 3
    (tmp_path / "played").unlink()
    async with keeper(tmp_path) as at:
        first = await at.supervisor()
        os.kill(first.pid, signal.SIGKILL)
        assert await at.status() == 100 + signal.SIGKILL


async def test_the_supervisor_knows_that_its_keeper_has_ended(tmp_path: Path) -> None:
    async with keeper(tmp_path) as at:
        first = await at.supervisor()
        await first.kept()
        at.process.kill()
        assert await first.hear() == (b"", [])
        os.kill(first.pid, signal.SIGTERM)


@pytest.mark.parametrize("kind", ["path", "abstract"])
async def test_systemd_is_notified_but_of_what_is_kept_here(
    tmp_path: Path, files: list[int], kind: str
) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as systemd:
        systemd.bind(path if kind == "path" else f"\0{path}")

        async def notified() -> tuple[bytes, list[int]]:
            def read() -> tuple[bytes, list[int]] | None:
                with contextlib.suppress(BlockingIOError):
                    return socket.recv_fds(systemd, 4096, 4)[:2]
                return None

            return await until(read, "a notification")

        async with keeper(tmp_path, path if kind == "path" else f"@{path}") as at:
            first = await at.supervisor()
            await first.kept()
            first.say(store(b"calls", HERE), files[:1])
            first.say(b"READY=1\nSTATUS=3 calls")
            assert await notified() == (b"READY=1\nSTATUS=3 calls", [])
            first.say(store(b"sip"), files[1:2])
            message, descriptors = await notified()
            assert (message, inodes(descriptors)) == (store(b"sip"), [os.fstat(files[1]).st_ino])
            first.say(remove(b"sip"))
            assert await notified() == (remove(b"sip"), [])
            systemd.close()
            (tmp_path / "notify").unlink(missing_ok=True)
            first.say(b"WATCHDOG=1")
            assert (await first.hear())[0].startswith(DEAF)
            os.kill(first.pid, signal.SIGTERM)
            assert await at.status() == 3
