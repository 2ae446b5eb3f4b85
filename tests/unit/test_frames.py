"""Frames between Tonewall's processes: what is whole arrives, what is not ends the connection and says nothing of itself."""

from __future__ import annotations

import asyncio
import struct
from typing import cast

import msgspec
import pytest

from media.events import AnyAnswer, AnyCommand, Done, OpenSession, SessionId, SetMask
from tests.canary import CANARY
from tonewall.frames import LIMIT, BadFrame, Unpacker, pack

COMMANDS = [
    OpenSession(serial=1, session=SessionId("s"), streams=2),
    SetMask(serial=2, session=SessionId("s"), on=True),
]


def stream(data: bytes, *, end: bool = True) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    if end:
        reader.feed_eof()
    return reader


def unpacker() -> Unpacker[AnyCommand]:
    return Unpacker(cast("type[AnyCommand]", AnyCommand))


async def test_messages_arrive_whole_in_order_and_of_their_type():
    reader, frames = stream(b"".join(pack(command) for command in COMMANDS)), unpacker()
    assert [await frames.read(reader) for _ in COMMANDS] == COMMANDS
    assert await frames.read(reader) is None


async def test_a_frame_may_come_byte_by_byte():
    reader, frames = stream(b"", end=False), unpacker()
    reading = asyncio.create_task(frames.read(reader))
    for octet in pack(COMMANDS[1]):
        reader.feed_data(bytes([octet]))
        await asyncio.sleep(0)
    assert await reading == COMMANDS[1]


@pytest.mark.parametrize("length", range(len(pack(COMMANDS[0]))))
async def test_a_connection_that_ends_within_a_frame_is_an_end(length: int):
    assert await unpacker().read(stream(pack(COMMANDS[0])[:length])) is None


@pytest.mark.parametrize("error", [ConnectionResetError(), BrokenPipeError()])
async def test_a_connection_that_breaks_is_an_end(error: Exception):
    reader = asyncio.StreamReader()
    reader.set_exception(error)
    assert await unpacker().read(reader) is None


@pytest.mark.parametrize("length", [LIMIT + 1, 2**32 - 1])
async def test_a_frame_above_the_limit_is_refused_before_it_is_read(length: int):
    with pytest.raises(BadFrame, match=f"{length} bytes, limit {LIMIT}"):
        await unpacker().read(stream(struct.pack(">I", length), end=False))


async def test_a_frame_of_the_limit_is_read():
    body = b"\xc1" * LIMIT
    with pytest.raises(BadFrame, match="does not fit"):
        await unpacker().read(stream(struct.pack(">I", LIMIT) + body))


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
async def test_what_is_no_message_of_the_type_is_refused_without_a_word_of_it(body: bytes):
    with pytest.raises(BadFrame, match="does not fit its type") as caught:
        await unpacker().read(stream(struct.pack(">I", len(body)) + body))
    assert CANARY.number not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_message_that_has_more_fields_than_we_know_is_read():
    # One of the two ends may be newer than the other.
    body = msgspec.msgpack.encode({"type": "done", "serial": 3, "news": 1})
    assert Unpacker(cast("type[AnyAnswer]", AnyAnswer)).decode(body) == Done(serial=3)
