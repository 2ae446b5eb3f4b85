"""Frames between Tonewall's processes: what is whole arrives, what is not ends the connection and
says nothing of itself."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from typing import cast

import msgspec
import pytest

from media.events import AnyAnswer, AnyCommand, Done, OpenSession, SessionId, SetMask
from tests.canary import CANARY
from tests.stack import until
from tonewall import frames
from tonewall.frames import LIMIT, BadFrame, FrameConnection, Unpacker, pack

COMMANDS = [
    OpenSession(serial=1, session=SessionId("s"), streams=2),
    SetMask(serial=2, session=SessionId("s"), on=True),
]


def unpacker() -> Unpacker[AnyCommand]:
    return Unpacker(cast("type[AnyCommand]", AnyCommand))


def test_messages_arrive_whole_in_order_and_of_their_type():
    assert list(unpacker().feed(b"".join(pack(command) for command in COMMANDS))) == COMMANDS


@pytest.mark.parametrize("size", range(1, 12))
def test_frames_may_come_in_pieces_of_any_size(size: int):
    taken, data = unpacker(), b"".join(pack(command) for command in COMMANDS)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert [message for piece in pieces for message in taken.feed(piece)] == COMMANDS


class Side:
    """One end of a connection, and what it heard."""

    def __init__(self) -> None:
        self.came: list[AnyCommand] = []
        self.ends: list[Exception | None] = []
        self.frames = FrameConnection(
            cast("type[AnyCommand]", AnyCommand), self.came.append, self.ends.append
        )


@pytest.fixture
async def sides() -> AsyncIterator[tuple[Side, Side]]:
    one, other = Side(), Side()
    loop = asyncio.get_running_loop()
    for side, end in zip((one, other), socket.socketpair(), strict=True):
        await loop.create_connection(lambda side=side: side.frames, sock=end)
    yield one, other
    one.frames.close()
    other.frames.close()


async def test_what_one_end_sends_the_other_receives_and_then_the_end(sides: tuple[Side, Side]):
    one, other = sides
    for command in COMMANDS:
        one.frames.send(command)
    one.frames.close()
    await until(lambda: one.ends and other.ends, "both ends have ended")
    assert other.came == COMMANDS
    assert one.ends == other.ends == [None]
    one.frames.send(COMMANDS[0])  # for nothing, and without an error


async def test_what_is_not_urgent_leaves_with_what_is_and_in_its_order(
    sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(frames, "_COMPANY", 3600.0)  # by itself it would not leave
    one, other = sides
    one.frames.send(COMMANDS[0], urgent=False)
    one.frames.send(COMMANDS[1])
    await until(lambda: len(other.came) == 2, "both")
    assert other.came == COMMANDS[:2]


async def test_what_is_not_urgent_leaves_by_itself_where_nothing_else_does(sides: tuple[Side, Side]):
    one, other = sides
    began = time.monotonic()
    one.frames.send(COMMANDS[0], urgent=False)
    one.frames.send(COMMANDS[1], urgent=False)
    await until(lambda: len(other.came) == 2, "both")
    assert other.came == COMMANDS[:2]
    assert time.monotonic() - began >= frames._COMPANY


async def test_a_bad_frame_ends_the_connection_and_says_so(sides: tuple[Side, Side]):
    one, other = sides
    one.frames.send(Done(serial=1))
    one.frames.send(COMMANDS[0])
    await until(lambda: other.ends, "the end")
    assert isinstance(other.ends[0], BadFrame)
    assert other.came == []


@pytest.mark.parametrize("length", [LIMIT + 1, 2**32 - 1])
def test_a_frame_above_the_limit_is_refused_before_it_is_read(length: int):
    with pytest.raises(BadFrame, match=f"{length} bytes, limit {LIMIT}"):
        list(unpacker().feed(struct.pack(">I", length)))


def test_a_frame_of_the_limit_is_read():
    body = b"\xc1" * LIMIT
    with pytest.raises(BadFrame, match="does not fit"):
        list(unpacker().feed(struct.pack(">I", LIMIT) + body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\xff" * 40,
        msgspec.msgpack.encode(CANARY.number),
        msgspec.msgpack.encode({"type": "set_mask", "session": 4, "on": CANARY.number}),
        msgspec.msgpack.encode({"type": CANARY.number, "session": "s"}),
        msgspec.msgpack.encode({"session": "s", "on": True}),
        msgspec.msgpack.encode(Done(serial=1)),
        pack(COMMANDS[1])[4:] + b"\x00",
    ],
)
def test_what_is_no_message_of_the_type_is_refused_without_a_word_of_it(body: bytes):
    with pytest.raises(BadFrame, match="does not fit its type") as caught:
        list(unpacker().feed(struct.pack(">I", len(body)) + body))
    assert CANARY.number not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_message_that_has_more_fields_than_we_know_is_read():
    # One of the two ends may be newer than the other.
    body = msgspec.msgpack.encode({"type": "done", "serial": 3, "news": 1})
    assert Unpacker(cast("type[AnyAnswer]", AnyAnswer)).decode(body) == Done(serial=3)
