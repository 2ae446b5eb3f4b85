"""A process that waits for its turn: which environment it goes on with, and when it ends."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket

import pytest

from tonewall.process import allow_many_files
from tonewall.turn import await_loaded, give_turn, wait_for_turn
from tonewall.version import VERSION


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found = {"TONEWALL_SUPERVISOR": "7", "TONEWALL_LOG_SETTINGS": "5", "TONEWALL_OLD": "1", "TONEWALL_A": "1"}
    monkeypatch.setattr(os, "environ", found)
    return found


async def test_its_settings_are_those_of_the_moment_in_which_its_turn_comes(
    environment: dict[str, str],
) -> None:
    starter, ours = socket.socketpair()
    starter.setblocking(False)
    done: list[str] = []
    large = "x" * 1_000_000  # more than the kernel holds at once
    with starter:
        waiting = asyncio.create_task(
            asyncio.to_thread(wait_for_turn, ours.detach(), lambda: done.append("loaded"))
        )
        await give_turn(starter, {"TONEWALL_A": "2", "TONEWALL_NEW": large})
        assert await waiting
    assert environment == {
        "TONEWALL_SUPERVISOR": "7",
        "TONEWALL_LOG_SETTINGS": "5",
        "TONEWALL_A": "2",
        "TONEWALL_NEW": large,
    }
    assert done in ([], ["loaded"])  # whichever was first


def test_one_whose_turn_has_come_loads_nothing_beforehand(environment: dict[str, str]) -> None:
    starter, ours = socket.socketpair()
    with starter:
        starter.sendall(b"{}")
        starter.shutdown(socket.SHUT_WR)
        assert wait_for_turn(ours.detach(), lambda: pytest.fail("it is late"))


def test_one_whose_starter_has_gone_ends(environment: dict[str, str]) -> None:
    before, done = dict(environment), []
    starter, ours = socket.socketpair()
    assert not wait_for_turn(ours.detach(), lambda: (done.append("loaded"), starter.close()))
    assert done == ["loaded"]
    assert environment == before


def test_it_waits_on_a_descriptor_beyond_those_that_select_knows(environment: dict[str, str]) -> None:
    """Its starter has those of many calls open."""
    allow_many_files()
    starter, ours = socket.socketpair()
    with starter, ours:
        high = fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, 2000)
        starter.sendall(b"{}")
        starter.shutdown(socket.SHUT_WR)
        assert wait_for_turn(high, lambda: pytest.fail("it is late"))


async def test_one_that_has_loaded_says_its_version_and_ends_where_nobody_reads_it(
    environment: dict[str, str],
) -> None:
    for read in (True, False):
        starter, ours = socket.socketpair()
        starter.setblocking(False)
        waiting = asyncio.create_task(asyncio.to_thread(wait_for_turn, ours.detach(), lambda: None))
        if read:
            assert (await asyncio.wait_for(await_loaded(starter), 30)).version == VERSION
        else:
            await asyncio.wait_for(asyncio.get_running_loop().sock_recv(starter, 1), 30)
        starter.close()
        assert not await asyncio.wait_for(waiting, 30)


async def test_one_that_ends_or_says_something_else_has_not_loaded() -> None:
    for said in (b"", b"{", b"{}\n", b"x" * 10_000):
        starter, ours = socket.socketpair()
        starter.setblocking(False)
        with starter:
            ours.sendall(said)
            ours.close()
            with pytest.raises((OSError, ValueError)):
                await asyncio.wait_for(await_loaded(starter), 30)
