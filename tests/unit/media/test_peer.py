"""Who may command media: a process by its id and its start, as the kernel says it."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from b2bua.doctor import files
from media.peer import NAMED, Peer, naming
from tests.complaints import permit_error
from tests.configured_log import configured
from tonewall.process import started_at


@pytest.fixture
def ends() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def test_the_named_process_is_admitted_and_nobody_before_it_is_named(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    permit_error("connection_refused")
    peer = Peer(anybody=False)
    assert not peer.admits(ends[0])
    peer.name(naming(os.getpid()))
    assert peer.admits(ends[0])
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        peer.name(naming(other.pid))
        assert not peer.admits(ends[0])
        other.kill()
    assert naming(other.pid) == b""


def test_a_process_that_got_the_number_of_another_is_refused(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    permit_error("connection_refused")
    started = started_at(os.getpid())
    assert started is not None
    peer = Peer(anybody=False)
    peer.name(NAMED + f"{os.getpid()} {started - 1}".encode())
    assert not peer.admits(ends[0])


def test_who_connected_and_ended_before_anybody_accepted_is_no_fault(tmp_path: Path) -> None:
    peer, file = Peer(anybody=False), io.StringIO()
    peer.name(naming(os.getpid()))
    with socket.socket(socket.AF_UNIX) as listener, configured("media", "info", file):
        listener.bind(str(tmp_path / "media.sock"))
        listener.listen()
        connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        subprocess.run([sys.executable, "-c", connect, str(tmp_path / "media.sock")], check=True)
        with listener.accept()[0] as accepted:
            assert not peer.admits(accepted)
    assert '"connection_dropped"' in file.getvalue()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o722, 0o1777])
def test_a_directory_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    place = tmp_path / "run"
    place.mkdir()
    place.chmod(mode)
    assert (files._why_open_to_others(place) is not None) == bool(mode & 0o022)
    place.chmod(0o700)
    assert files._why_open_to_others(place) is None


def test_a_directory_below_one_that_others_may_write_is_refused(tmp_path: Path) -> None:
    open_place = tmp_path / "open"
    open_place.mkdir()
    open_place.chmod(0o777)
    refusal = files._why_open_to_others(open_place / "run")
    assert refusal is not None
    assert f"chmod go-w {open_place}" in refusal
    open_place.chmod(0o1777)  # sticky: nobody replaces what belongs to us
    assert files._why_open_to_others(open_place / "run") is None
