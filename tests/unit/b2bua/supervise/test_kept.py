"""What a supervisor finds of the one before: what fits is used, the rest is closed, and
forgotten."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2bua.supervise import kept as kept_module
from b2bua.supervise.child import channel_pair
from b2bua.supervise.kept import KEPT_CALLS, KEPT_PAGE, Kept, log_death, stream_name, take_kept
from b2bua.supervise.media_process import HeldForMedia, make_recovery_page
from b2bua.supervise.service_manager import NOTE, ServiceManager
from b2bua.supervise.stream_store import StreamStore
from media.events import SessionId
from media.kept_streams import PAGE, SLOT_OCTETS, SLOTS, ForgetStream, KeepStream, encode
from tests.configured_log import configured
from tonewall.keeper import ALL, DEATHS, EMPTIED, HERE, NAME, REMOVE, SIGNAL, STORE


class Keeper:
    """The other end, on which a test says what is kept."""

    def __init__(self) -> None:
        self.end, theirs = channel_pair()
        self.manager = ServiceManager(theirs)
        self._files: list[int] = []

    def has(self, name: str, *descriptors: int, note: bytes = b"") -> None:
        words = [STORE, NAME + name.encode(), b"FDPOLL=0", HERE, NOTE.encode() + note]
        socket.send_fds(self.end, [b"\n".join(words)], list(descriptors) or [self.file()])

    def has_stream(self, slot: int, count: int = 4) -> None:
        said = KeepStream(session=SessionId(f"session{slot}"), stream=0, slot=slot)
        self.has(stream_name(slot), *(self.file() for _ in range(count)), note=encode(said))

    def file(self, octets: int = 0) -> int:
        self._files.append(os.memfd_create("file"))
        os.ftruncate(self._files[-1], octets)
        return self._files[-1]

    def take(self, *news: bytes) -> Kept:
        self.end.send(b"\n".join((ALL, *news)))
        return take_kept(self.manager)

    def notified(self) -> list[list[bytes]]:
        """What was said to it: the lines of each message."""
        found = []
        try:
            while True:
                text, received, _, _ = socket.recv_fds(self.end, 4096, 4)
                for each in received:
                    os.close(each)
                found.append(text.split(b"\n"))
        except BlockingIOError:
            return found

    def close(self) -> None:
        self.end.close()
        if self.manager.end is not None:
            self.manager.end.close()
        for each in self._files:
            os.close(each)


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    made = Keeper()
    yield made
    made.close()


@pytest.fixture
def page() -> Iterator[int]:
    made = make_recovery_page()
    yield made
    os.close(made)


def same(one: int, other: int) -> bool:
    return os.fstat(one).st_ino == os.fstat(other).st_ino


def forgotten(keeper: Keeper) -> list[str]:
    return [
        lines[1].removeprefix(NAME).decode()
        for lines in keeper.notified()
        if lines[0] == REMOVE and lines[2:] == [HERE]
    ]


async def test_what_fits_is_used_and_not_kept_anew(keeper: Keeper, page: int, tmp_path: Path) -> None:
    keeper.has(KEPT_CALLS, calls := keeper.file())
    keeper.has_stream(7)
    keeper.has(KEPT_PAGE, page)
    keeper.has("sip_udp_127.0.0.1_0", sip := keeper.file())
    log = io.StringIO()
    with configured("supervisor", "info", log):
        kept = keeper.take(SIGNAL + b"9", DEATHS + b"2")
        log_death(kept)
    [line] = map(json.loads, log.getvalue().splitlines())
    assert (line["event"], line["child"], line["signal"], line["count"], line["sessions"]) == (
        "restarting", "supervisor", "SIGKILL", 2, 1,
    )  # fmt: skip
    assert same(kept.calls, calls)
    assert same(kept.sockets["sip_udp_127.0.0.1_0"], sip)
    assert [said.session for said, _ in kept.streams] == ["session7"]

    keeper.end.setblocking(False)
    assert keeper.manager.end is not None
    keeper.manager.end.setblocking(False)
    held = HeldForMedia.open(tmp_path / "media.sock", keeper.manager, kept)
    assert same(held.descriptors()[PAGE], page)
    store = StreamStore(1024, keeper.manager, kept.streams)
    assert keeper.notified() == []
    store.receive(
        encode(KeepStream(session=SessionId("new"), stream=0, slot=8)), [keeper.file() for _ in "1234"]
    )
    keeper._files = keeper._files[:-4]  # they are the store's
    store.receive(encode(ForgetStream(slot=7)), [])
    stored, removed = keeper.notified()
    assert stored[:2] == [STORE, NAME + stream_name(8).encode()]
    assert HERE in stored
    assert removed == [REMOVE, NAME + stream_name(7).encode(), HERE]
    held.close()
    store.close()
    assert forgotten(keeper) == [KEPT_PAGE, stream_name(8)]
    for each in (kept.calls, *kept.sockets.values()):
        os.close(each)


@pytest.mark.parametrize("missing", ["calls", "page"])
async def test_streams_without_their_calls_or_states_are_closed(
    keeper: Keeper, page: int, missing: str
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    if missing == "page":
        keeper.has(KEPT_CALLS)
    else:
        keeper.has(KEPT_PAGE, page)
    keeper.has_stream(1)
    keeper.has_stream(2)
    own = len(keeper._files)
    log = io.StringIO()
    with configured("supervisor", "info", log):
        kept = keeper.take()
    [line] = map(json.loads, log.getvalue().splitlines())
    assert (line["event"], line["what"], line["count"], line["level"]) == (
        "kept_dropped",
        "streams",
        2,
        "error",
    )
    assert kept.streams == []
    keeper.end.setblocking(False)
    assert forgotten(keeper) == [stream_name(1), stream_name(2)]
    assert len(os.listdir("/proc/self/fd")) == before + own + 1
    os.close(max(kept.calls, kept.page))


async def test_what_is_of_another_form_or_version_is_closed_and_forgotten(keeper: Keeper, page: int) -> None:
    unsealed = keeper.file(SLOTS * SLOT_OCTETS)
    with socket.socket() as no_file:
        keeper.has(KEPT_CALLS, no_file.fileno())
    keeper.has(KEPT_PAGE, unsealed)
    keeper.has(KEPT_PAGE, keeper.file(SLOT_OCTETS))
    keeper.has("kept_page.0", page)
    keeper.has("kept_stream.0.7", note=encode(KeepStream(session=SessionId("s"), stream=0, slot=7)))
    keeper.has_stream(3, count=3)
    keeper.has(stream_name(4), *(keeper.file() for _ in range(4)), note=b"?")
    keeper.has("sip_udp", keeper.file(), keeper.file())
    before = len(os.listdir("/proc/self/fd"))
    log = io.StringIO()
    with configured("supervisor", "info", log):
        kept = keeper.take(EMPTIED)
        log_death(kept)
    assert (kept.calls, kept.page, kept.streams, kept.sockets) == (-1, -1, [], {})
    events = [json.loads(line)["event"] for line in log.getvalue().splitlines()]
    assert events == ["kept_dropped"] * 8 + ["calls_dropped"]
    assert len(os.listdir("/proc/self/fd")) == before
    keeper.end.setblocking(False)
    assert len(forgotten(keeper)) == 7  # systemd forgets a socket of SIP, too


async def test_a_keeper_that_does_not_answer_is_not_waited_for_and_none_has_nothing(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_module, "_PATIENCE", 0.01)
    log = io.StringIO()
    with configured("supervisor", "info", log):
        assert await asyncio.to_thread(take_kept, keeper.manager) == Kept()
        assert take_kept(ServiceManager()) == Kept()
    assert log.getvalue().count("kept_not_read") == 1
