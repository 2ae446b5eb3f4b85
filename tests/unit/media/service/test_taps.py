"""Taps over the media service's socket, with the real core: who reads gets headers, and nobody
else has any recorded."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from media.events import (
    CloseSession,
    Done,
    OpenSession,
    ReadTap,
    Refused,
    SessionId,
    SessionOpened,
    SetMask,
    SetRemote,
    Side,
    TappedStream,
    TapRead,
    TapSession,
    WidenSession,
)
from media.formats.rtp import Rtp, Ssrc, serialise
from media.service.payers import Payers
from media.service.service import MediaService
from media.service.taps import Taps
from media.settings import MediaSettings
from media.stream_description import LocalStream, RemoteStream
from media.tapped import RECORDS, TapFlag, TapKind, TapRecord, read_records
from tests.stack import media_ports, until
from tests.unit.media.service.b2bua import B2bua, connected
from tonewall.frames import LIMIT, pack

S = SessionId("s")
HOST = "127.0.0.1"


@pytest.fixture
def taps() -> Taps:
    return Taps(patience=1.0)


@pytest.fixture
async def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taps: Taps) -> AsyncIterator[Path]:
    monkeypatch.setattr("media.service.service.Taps", lambda: taps)
    service = MediaService(MediaSettings(address=HOST, ports=media_ports(100)), Payers())
    await service.start()
    server = await asyncio.get_running_loop().create_unix_server(service.accept, tmp_path / "media.sock")
    yield tmp_path / "media.sock"
    server.close()
    await service.stop()


@contextmanager
def phone() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind((HOST, 0))
        yield own


async def opened(b2bua: B2bua, *phones: socket.socket, streams: int = 1) -> SessionOpened:
    found = await b2bua.ask(OpenSession(serial=1, session=S, streams=streams))
    assert isinstance(found, SessionOpened)
    for side, own in zip(Side, phones, strict=True):
        stream = RemoteStream(
            address=HOST, port=own.getsockname()[1], rtcp_address=HOST, rtcp_port=own.getsockname()[1] + 1,
            event_types=(101,), mu_types=(0,),
        )  # fmt: skip
        command = SetRemote(serial=2, session=S, side=side, streams=(stream,) * streams)
        assert isinstance(await b2bua.ask(command), Done)
    return found


def audio(number: int) -> bytes:
    return serialise(
        Rtp(
            payload_type=0, marker=False, sequence_number=number, rtp_timestamp=160 * number, ssrc=Ssrc(7),
            payload=b"\xd1" * 160,
        )
    )  # fmt: skip


async def read(b2bua: B2bua) -> TapRead:
    found = await b2bua.ask(ReadTap(serial=5, session=S))
    assert isinstance(found, TapRead), found
    return found


async def records(b2bua: B2bua, count: int) -> list[TapRecord]:
    """The records, once there are so many."""
    found: list[TapRecord] = []

    async def enough() -> bool:
        found.extend(each for stream in (await read(b2bua)).streams for each in read_records(stream.records))
        return len(found) >= count

    await until(enough, "the records")
    return found


async def test_a_tap_is_read_until_it_is_switched_off(path: Path) -> None:
    with phone() as caller, phone() as agent:
        async with connected(path) as b2bua:
            ports = await opened(b2bua, caller, agent)
            assert isinstance(await b2bua.ask(ReadTap(serial=3, session=S)), Refused)
            assert isinstance(await b2bua.ask(TapSession(serial=4, session=S, on=True)), Done)
            caller.sendto(audio(1), (HOST, ports.caller[0].port))
            came, left = await records(b2bua, 2)
            assert (came.kind, came.sequence_number, came.length) == (TapKind.RTP, 1, 160)
            assert left.port == agent.getsockname()[1]
            stream = (await read(b2bua)).streams[0]
            assert stream == TappedStream(
                caller_port=ports.caller[0].port, agent_port=ports.agent[0].port, records=b"", dropped=0
            )
            # An m-line more is recorded from its first packet.
            wider = await b2bua.ask(WidenSession(serial=6, session=S, streams=2))
            assert isinstance(wider, SessionOpened)
            added: LocalStream = wider.caller[1]
            caller.sendto(audio(2), (HOST, added.port))
            assert (await records(b2bua, 1))[0].kind is TapKind.FOREIGN
            assert isinstance(await b2bua.ask(TapSession(serial=7, session=S, on=False)), Done)
            assert isinstance(await b2bua.ask(ReadTap(serial=8, session=S)), Refused)
            await b2bua.ask(CloseSession(serial=9, session=S))
            assert isinstance(await b2bua.ask(TapSession(serial=10, session=S, on=True)), Refused)


async def test_a_tap_that_nobody_reads_ends_by_itself(path: Path, taps: Taps) -> None:
    with phone() as caller, phone() as agent:
        async with connected(path) as b2bua:
            await opened(b2bua, caller, agent)
            assert isinstance(await b2bua.ask(TapSession(serial=3, session=S, on=True)), Done)
            await read(b2bua)
            assert len(taps) == 1
        async with connected(path) as b2bua:  # the reader is another, and does not read
            await until(lambda: len(taps) == 0, "the tap to end")
            assert isinstance(await b2bua.ask(ReadTap(serial=4, session=S)), Refused)
            assert isinstance(await b2bua.ask(TapSession(serial=5, session=S, on=True)), Done)
            await read(b2bua)
            # A session that is over takes its tap along, and the next of its name has none.
            await b2bua.ask(CloseSession(serial=6, session=S))
            await opened(b2bua, caller, agent)
            assert isinstance(await b2bua.ask(ReadTap(serial=7, session=S)), Refused)


async def test_more_than_one_answer_holds_comes_in_several(path: Path) -> None:
    with phone() as caller, phone() as agent:
        async with connected(path) as b2bua:
            ports = await opened(b2bua, caller, agent, streams=3)
            assert isinstance(await b2bua.ask(SetMask(serial=3, session=S, on=True)), Done)
            assert isinstance(await b2bua.ask(TapSession(serial=4, session=S, on=True)), Done)
            for number in range(RECORDS + 20):
                for stream in ports.caller:
                    caller.sendto(audio(number), (HOST, stream.port))
                if number % 50 == 0:
                    await asyncio.sleep(0)
            answers = [await read(b2bua)]
            while not answers[-1].whole:
                answers.append(await read(b2bua))
            assert len(answers) > 1
            assert all(len(pack(each)) < LIMIT for each in answers)
            numbers = [
                each.sequence_number
                for answer in answers
                for each in read_records(answer.streams[0].records)
                if TapFlag.SENT not in each.flags
            ]
            assert numbers[:100] == list(range(100))
