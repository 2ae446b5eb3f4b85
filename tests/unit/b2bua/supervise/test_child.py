"""`start_child` over a real process: which descriptors the child has, and under which names."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket

import pytest

from b2bua.supervise.child import await_end, start_child
from tests.stack import PATIENCE
from tonewall import descriptors
from tonewall.descriptors import take_stored, take_table, write_table
from tonewall.process import plain_environment

PROGRAM = ["tests.unit.b2bua.supervise.naming_child"]
ROOT = os.getcwd()


def open_adjacent_sockets(count: int) -> list[socket.socket]:
    """Sockets whose numbers follow one another: above all that this process has open, which may
    have holes.
    """
    first = max(int(number) for number in os.listdir("/proc/self/fd")) + 1
    with socket.socket() as opened:
        return [
            socket.socket(fileno=fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, first + position))
            for position in range(count)
        ]


async def test_a_child_finds_each_descriptor_by_its_name_and_we_keep_it() -> None:
    ours, theirs = zip(*(socket.socketpair() for _ in range(3)), strict=True)
    names = ("sip:udp:127.0.0.1:5060", "calls", "list")
    shared = {name: end.fileno() for name, end in zip(names, theirs, strict=True)}
    started = await start_child(PROGRAM, plain_environment({"PYTHONPATH": ROOT}), shared=shared)
    assert await await_end(started, asyncio.Event(), PATIENCE) == 0
    assert [end.recv(100).decode() for end in ours[:2]] == list(names[:2])
    # A program that the child started has none of them.
    assert not {str(number) for number in shared.values()} & set(ours[2].recv(1000).decode().split())
    for end in theirs:
        end.send(b"still open")
    for end in (*ours, *theirs):
        end.close()


def test_a_table_is_taken_once_and_names_what_is_open() -> None:
    with socket.socket() as opened:
        environment = write_table({"api": opened.fileno()})
        assert take_table(environment) == {"api": opened.fileno()}
        assert environment == {}
        assert take_table(environment) == {}
    with pytest.raises(OSError, match="Bad file descriptor"):
        take_table(write_table({"api": 1 << 20}))
    with pytest.raises(ValueError, match="Expected"):
        take_table({"TONEWALL_DESCRIPTORS": "[7]"})


def test_what_systemd_has_stored_is_for_the_process_that_it_started_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = open_adjacent_sockets(3)
    monkeypatch.setattr(descriptors, "_FIRST_STORED", opened[0].fileno())
    numbers = [each.fileno() for each in opened]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    given = {"LISTEN_PID": "7", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "one:two:one"}
    assert take_stored(environment := dict(given), 8) == {}
    assert environment == {}
    assert take_stored(dict(given), 7) == {"one": numbers[0], "two": numbers[1]}
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[2].detach())
    assert take_stored({**given, "LISTEN_FDS": "1"}, 7) == {"one": numbers[0]}
    for count in ("", "-1", "x", "9" * 5000):
        assert take_stored({**given, "LISTEN_FDS": count}, 7) == {}
    for each in opened[:2]:
        each.close()
