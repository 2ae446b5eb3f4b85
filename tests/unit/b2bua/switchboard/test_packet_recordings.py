"""Recordings of calls over a real media service: their ends, their bounds, and what is left of them
in media."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import msgspec
import pytest

from b2bua.call.view import CallState, NoSuchCall, NotNow
from b2bua.ladder.ladders import Ladders
from b2bua.ladder.pcapng import WholeBlocks
from b2bua.switchboard.packet_recordings import MAX_RECORDINGS, PacketRecordings
from media.client import MediaClient
from media.events import (
    AnyAnswer,
    AnyCommand,
    CloseSession,
    Done,
    OpenSession,
    Refused,
    SessionId,
    SessionOpened,
)
from media.service.payers import Payers
from media.service.service import MediaService
from media.service.taps import Taps
from media.settings import MediaSettings
from tests.browser.fake_desk import FakeDesk
from tests.stack import media_ports, until


class World:
    """Media, a connection to it, and calls that are up in both."""

    def __init__(self, folder: Path) -> None:
        self.taps = Taps(patience=30.0)
        self.service = MediaService(MediaSettings(address="127.0.0.1", ports=media_ports(300)), Payers())
        self.service._taps = self.taps
        self.path = folder / "media.sock"
        self.desk = FakeDesk()
        self.client = MediaClient(str(self.path), self._answered, lambda news: None, lambda state: None)
        self.answers: list[AnyAnswer] = []
        self.recordings = PacketRecordings(self.client, self.desk, Ladders(), time.time, interval=0.05)
        self.running: asyncio.Task[None] | None = None
        self.server: asyncio.Server | None = None

    def _answered(self, command: AnyCommand, answer: AnyAnswer) -> None:
        self.answers.append(answer)

    async def start(self) -> None:
        await self.service.start()
        self.server = await asyncio.get_running_loop().create_unix_server(self.service.accept, self.path)
        self.running = asyncio.create_task(self.client.run(0.05))
        await until(lambda: self.client.connected, "media")

    async def stop(self) -> None:
        assert self.running is not None
        assert self.server is not None
        self.running.cancel()
        self.server.close()
        await self.service.stop()

    async def call(self, name: str) -> None:
        """A call that is up."""
        self.desk.up(name)
        assert isinstance(
            await self.client.ask(OpenSession(session=SessionId(name), streams=1)), SessionOpened
        )

    async def end(self, name: str) -> None:
        self.desk.publish(msgspec.structs.replace(self.desk.find(name), state=CallState.ENDED))
        await self.client.ask(CloseSession(session=SessionId(name)))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.start()
    yield made
    await made.stop()


async def whole(chunks: AsyncGenerator[bytes]) -> bytes:
    """The file, which ends where a block does."""
    blocks, found = WholeBlocks(), b""
    async for chunk in chunks:
        found += blocks.feed(chunk)
        assert blocks.feed(b"") == b""
    return found


async def test_twenty_calls_are_recorded_at_once_and_each_ends_with_its_call(world: World) -> None:
    names = [f"c-{number}" for number in range(20)]
    for name in names:
        await world.call(name)
    files = [asyncio.create_task(whole(await world.recordings.begin(name, 600, 10**6))) for name in names]
    assert len(world.taps) == len(names)
    for name in names:
        await world.end(name)
    for file in await asyncio.gather(*files):
        assert file.startswith(b"\n\r\r\n")
        assert b"the call has ended" in file
    await world.call("c-0")
    again = await world.recordings.begin("c-0", 600, 10**6)
    await again.aclose()
    assert world.answers == []  # none of it is an answer to a call


async def test_a_reader_who_goes_ends_the_tap(world: World) -> None:
    await world.call("c-1")
    chunks = await world.recordings.begin("c-1", 600, 10**6)
    assert (await anext(chunks)).startswith(b"\n\r\r\n")
    assert len(world.taps) == 1
    with pytest.raises(NotNow, match="already"):
        await world.recordings.begin("c-1", 600, 10**6)
    await chunks.aclose()
    assert len(world.taps) == 0
    await (await world.recordings.begin("c-1", 600, 10**6)).aclose()


@pytest.mark.parametrize(("seconds", "octets", "why"), [(0.2, 10**6, "time"), (600, 100, "size")])
async def test_a_recording_is_bounded(world: World, seconds: float, octets: int, why: str) -> None:
    await world.call("c-1")
    file = await whole(await world.recordings.begin("c-1", seconds, octets))
    assert why.encode() in file
    assert len(world.taps) == 0


async def test_no_more_than_a_number_are_recorded_at_once(world: World) -> None:
    running = []
    for number in range(MAX_RECORDINGS):
        await world.call(f"c-{number}")
        running.append(await world.recordings.begin(f"c-{number}", 600, 10**6))
    await world.call("more")
    with pytest.raises(NotNow, match="Too many"):
        await world.recordings.begin("more", 600, 10**6)
    await running.pop().aclose()
    await (await world.recordings.begin("more", 600, 10**6)).aclose()
    for each in running:
        await each.aclose()
    assert len(world.taps) == 0


async def test_a_call_that_is_not_up_or_not_in_media_is_not_recorded(world: World) -> None:
    with pytest.raises(NoSuchCall):
        await world.recordings.begin("c-1", 600, 10**6)
    world.desk.up("c-1")
    with pytest.raises(NotNow, match="no such session"):
        await world.recordings.begin("c-1", 600, 10**6)
    await world.call("c-2")
    assert world.running is not None
    world.running.cancel()
    await until(lambda: not world.client.connected, "the end of the connection")
    with pytest.raises(NotNow, match="not reachable"):
        await world.recordings.begin("c-2", 600, 10**6)


async def test_a_session_that_is_opened_anew_is_recorded_anew(world: World) -> None:
    await world.call("c-1")
    file = asyncio.create_task(whole(await world.recordings.begin("c-1", 600, 10**6)))
    opened = await world.client.ask(OpenSession(session=SessionId("c-1"), streams=1, again=True))
    assert isinstance(opened, SessionOpened)
    session = SessionId("c-1")
    await until(lambda: world.service._sessions[session].tapped, "the tap")  # type: ignore[attr-defined]
    await world.end("c-1")
    assert b"opened anew" in await file


async def test_who_asks_media_as_it_goes_is_refused(world: World) -> None:
    await world.call("c-1")
    assert world.server is not None
    assert world.running is not None
    waiting = asyncio.create_task(world.client.ask(OpenSession(session=SessionId("c-9"), streams=1)))
    await asyncio.sleep(0)
    world.running.cancel()
    assert isinstance(await waiting, Refused | SessionOpened)
    assert isinstance(await world.client.ask(CloseSession(session=SessionId("c-1"))), Refused)
    assert Done not in map(type, world.answers)
