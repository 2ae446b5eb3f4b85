"""Sockets of streams that the supervisor keeps: they reach the next media process, all of them, and
no more than its limit of descriptors allows."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from b2bua.supervise.child import channel_pair
from b2bua.supervise.media_channel import MediaChannel
from b2bua.supervise.media_process import HeldForMedia, make_recovery_page
from b2bua.supervise.stream_store import StreamStore
from media._core import RECOVERY_SLOT
from media.events import SessionId
from media.kept_streams import (
    PAGE,
    SLOT_OCTETS,
    SLOTS,
    ForgetStream,
    KeepStream,
    StreamMessage,
    decode,
    encode,
)
from media.service import kept_sockets
from media.service.kept_sockets import NO_SLOT, KeptSockets
from tests.configured_log import configured
from tests.stack import until

ROOM = 512  # descriptors that the supervisor keeps for itself
SESSION = SessionId("session")


def said(kept: KeptSockets, end: socket.socket) -> bool:
    """Let a media process read what the supervisor has sent; whether that was all."""
    end.setblocking(False)
    while not kept.all_came.is_set():
        try:
            message, descriptors, _, _ = socket.recv_fds(end, 512, 8)
        except BlockingIOError:
            return False
        kept.receive(message, descriptors)
    return True


@pytest.fixture
def four() -> Iterator[list[socket.socket]]:
    """The sockets of one stream."""
    with ExitStack() as ends:
        bound = [ends.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(4)]
        for each in bound:
            each.bind(("127.0.0.1", 0))
        yield bound


@pytest.fixture
def page() -> Iterator[int]:
    """The descriptor of a recovery page."""
    made = make_recovery_page()
    yield made
    os.close(made)


def is_bound(port: int) -> bool:
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


async def test_what_a_media_process_had_open_is_the_next_ones_also_where_it_died_just_then(
    four: list[socket.socket], page: int
) -> None:
    channel = MediaChannel()
    channel.streams = StreamStore(ROOM + 4 * 300)
    ports = [each.getsockname()[1] for each in four]
    ours, theirs = channel_pair()
    with ours, channel.opened(ours):
        first = KeptSockets(lambda message, sockets: socket.send_fds(theirs, [message], sockets) and None)
        # Nobody reads what is sent in this turn of the loop: it ends before.
        for number in range(60):
            slot = first.take_slot()
            first.keep(SessionId(f"{number}"), 0, slot, [each.fileno() for each in four])
        theirs.close()
    assert len(channel.streams) == 60
    for each in four:
        each.close()
    assert all(map(is_bound, ports))

    ours, theirs = channel_pair()
    with ours, theirs, channel.opened(ours):
        second = KeptSockets(
            lambda message, sockets: socket.send_fds(theirs, [message], sockets) and None, page
        )
        await until(lambda: said(second, theirs), "all that was kept")
        assert len(second) == 60
        [stream] = second.take(SessionId("7"), 1)
        assert stream.slot == 7
        for number, port in zip(stream.sockets, ports, strict=True):
            assert socket.socket(fileno=number).getsockname()[1] == port
        assert second.take(SessionId("7"), 1) == []
        assert second.take_slot() == 60  # those of streams that are there are not used again
        second.let_all_go()
        await until(lambda: len(channel.streams) == 1, "the others to be forgotten")
        second.forget(stream.slot)
        await until(lambda: not any(map(is_bound, ports)), "the ports to be free")


async def test_more_than_a_socket_holds_is_handed_over_and_none_is_lost(
    four: list[socket.socket], page: int
) -> None:
    channel = MediaChannel()
    channel.streams = StreamStore(ROOM + 4 * 700)
    for slot in range(700):
        copies = [os.dup(four[0].fileno()) for _ in range(4)]
        message = KeepStream(session=SessionId(f"{slot // 2}"), stream=slot % 2, slot=slot)
        channel.streams.receive(encode(message), copies)
    ours, theirs = channel_pair()
    with ours, theirs, channel.opened(ours):
        channel.name_b2bua(os.getpid())
        kept = KeptSockets(lambda *_: None, page)
        theirs.setblocking(False)
        assert theirs.recv(100).startswith(b'{"type":"keep"')  # named only after they were sent
        await until(lambda: said(kept, theirs), "all of them")
        assert len(kept) == 350
        assert kept.take(SessionId("0"), 2) == []  # its first stream was read above
        taken = kept.take(SessionId("1"), 2)
        assert [each.slot for each in taken] == [2, 3]
        assert (await until(lambda: theirs.recv(100), "the name")).startswith(b"b2bua ")
        for each in taken:
            for number in each.sockets:
                os.close(number)
        kept.let_all_go()
    channel.streams.close()
    assert len(channel.streams) == 0


def test_beyond_the_limit_of_descriptors_a_stream_is_not_kept_and_that_is_said_once(
    four: list[socket.socket],
) -> None:
    store, file = StreamStore(ROOM + 8), io.StringIO()

    def keep(slot: int, count: int = 4) -> list[int]:
        copies = [os.dup(four[0].fileno()) for _ in range(count)]
        store.receive(encode(KeepStream(session=SESSION, stream=slot, slot=slot)), copies)
        return copies

    with configured("supervisor", "info", file):
        keep(0)
        keep(1)
        first = keep(1)  # anew
        assert len(store) == 2
        assert file.getvalue() == ""
        refused = keep(2) + keep(3) + keep(1, count=3)  # the kernel has cut off the fourth
        assert len(store) == 2
        [line] = file.getvalue().splitlines()
        assert json.loads(line)["event"] == "streams_not_kept"
    assert os.fstat(first[0])
    for number in refused:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)
    store.close()


@pytest.mark.parametrize(
    "message",
    [b"", b"{", b"{}", b"\xff", b'{"type":"keep"}', b'{"type":"forget","slot":-1}',
     b'{"type":"forget","slot":"1"}', encode(ForgetStream(slot=3)),
     encode(KeepStream(session=SESSION, stream=0, slot=0))],
)  # fmt: skip
def test_what_is_no_message_or_of_no_stream_changes_nothing(message: bytes) -> None:
    store, kept = StreamStore(ROOM + 8), KeptSockets(lambda *_: None)
    store.receive(message, [])
    kept.receive(message, os.pipe())
    assert len(store) == len(kept) == 0


@pytest.mark.parametrize("streams", [(0, 2), (0, 1, 2)], ids=["one is missing", "there is no page"])
def test_a_session_is_whole_or_not_restored(
    four: list[socket.socket], page: int, streams: tuple[int, ...]
) -> None:
    sent: list[StreamMessage | None] = []
    kept = KeptSockets(lambda message, _: sent.append(decode(message)), page if len(streams) == 2 else -1)
    os.pwrite(page, b"?" * SLOT_OCTETS, 12 * SLOT_OCTETS)
    for stream in streams:
        copies = [os.dup(each.fileno()) for each in four]
        kept.receive(encode(KeepStream(session=SESSION, stream=stream, slot=10 + stream)), copies)
    assert kept.take(SESSION, 3) == []
    assert sent == [ForgetStream(slot=10 + stream) for stream in streams]
    assert kept.take_slot() == 12  # it is free again
    assert any(os.pread(page, SLOT_OCTETS, 12 * SLOT_OCTETS)) is (len(streams) == 3)


def test_nobody_can_cut_the_page_short_and_it_is_closed_with_the_socket(tmp_path: Path) -> None:
    held = HeldForMedia.open(tmp_path / "media.sock")
    page = held.descriptors()[PAGE]
    assert os.fstat(page).st_size == SLOTS * SLOT_OCTETS
    assert os.fstat(page).st_blocks == 0
    assert SLOT_OCTETS == RECOVERY_SLOT
    assert not os.get_inheritable(page)
    for size in (0, SLOT_OCTETS, 2 * SLOTS * SLOT_OCTETS):
        with pytest.raises(PermissionError):
            os.ftruncate(page, size)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="No such file"):
        HeldForMedia.open(tmp_path / "nowhere" / "media.sock")
    assert len(os.listdir("/proc/self/fd")) == before
    for _ in range(2):
        held.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(page)


async def test_what_no_b2bua_claims_is_let_go(
    four: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_sockets, "PATIENCE", 0.0)
    sent: list[StreamMessage | None] = []
    kept = KeptSockets(lambda message, _: sent.append(decode(message)))
    copies = [os.dup(each.fileno()) for each in four]
    kept.receive(encode(KeepStream(session=SESSION, stream=0, slot=0)), copies)
    await asyncio.sleep(0)
    assert len(kept) == 1  # for as long as b2bua is away
    kept.expect_claims()
    kept.expect_claims()
    await until(lambda: sent == [ForgetStream(slot=0)], "its end")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(copies[0])


def test_without_a_supervisor_nothing_is_kept_and_one_that_is_gone_ends_no_call(
    four: list[socket.socket],
) -> None:
    alone = KeptSockets()
    assert alone.take_slot() == NO_SLOT
    alone.keep(SESSION, 0, NO_SLOT, [])
    alone.forget(NO_SLOT)

    def gone(_: bytes, __: object) -> None:
        raise BrokenPipeError

    left = KeptSockets(gone)
    slots = {left.take_slot() for _ in range(SLOTS)}
    assert slots == set(range(SLOTS))
    assert left.take_slot() == NO_SLOT
    file = io.StringIO()
    with configured("media", "info", file):
        left.keep(SESSION, 0, 0, [each.fileno() for each in four])
        left.keep(SESSION, 1, 1, [each.fileno() for each in four])
        left.forget(0)
    assert len(file.getvalue().splitlines()) == 1
    assert left.take_slot() == 0
    with pytest.raises(ValueError, match="more bytes"):
        encode(KeepStream(session=SessionId("x" * 600), stream=0, slot=0))
