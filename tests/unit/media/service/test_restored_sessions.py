"""kill -9 of a media process with sessions open: the next one restores those that b2bua claims, on
the same ports, masked as they were."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from b2bua.supervise import succession
from media.events import (
    CaptureId,
    ClaimedLeg,
    ClaimSession,
    CloseSession,
    Counted,
    CountSessions,
    Done,
    Masking,
    OpenSession,
    Refused,
    SessionClaimed,
    SessionClosed,
    SessionId,
    SessionOpened,
    SetMask,
    SetRemote,
    Side,
    StartCapture,
)
from media.formats.rtp import parse
from media.stream_description import LocalStream, RemoteStream, StreamKeys
from tests.media_processes import MediaProcesses, media_running
from tests.stack import until
from tests.unit.media.core.relay_rig import EVENTS, Phone, everything, key, rtp
from tests.unit.media.service.b2bua import B2bua, connected

S = SessionId("s")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "LASTED", 0.0)


@pytest.fixture
async def media(tmp_path: Path) -> AsyncIterator[MediaProcesses]:
    async with media_running(tmp_path) as found:
        yield found


class Session:
    """One session, its two phones, and what b2bua knows of it."""

    def __init__(self, name: SessionId, locals_of: dict[Side, LocalStream]) -> None:
        self.name = name
        self.phones = {side: Phone(local.port, local.port + 1) for side, local in locals_of.items()}
        self.sent = 0

    def remote(self, side: Side) -> RemoteStream:
        phone = self.phones[side]
        (host, port), (_, rtcp_port) = phone.rtp.getsockname(), phone.rtcp.getsockname()
        return RemoteStream(
            address=host,
            port=port,
            rtcp_address=host,
            rtcp_port=rtcp_port,
            event_types=(EVENTS,),
            mu_types=(0,),
        )

    def claim(self, **more: object) -> ClaimSession:
        legs = {side.value: ClaimedLeg(streams=(self.remote(side),)) for side in Side}
        return ClaimSession(serial=9, session=self.name, streams=1, **legs, **more)  # type: ignore[arg-type]

    async def flows(self, from_side: Side) -> None:
        """Until what this side sends comes out at the other, in the numbers that it has."""
        phone, other = self.phones[from_side], self.phones[_other(from_side)]
        everything(other.rtp)

        def came() -> bool:
            self.sent += 1
            phone.send(rtp(self.sent))
            return any(int.from_bytes(each[2:4], "big") == self.sent for each in everything(other.rtp))

        await until(came, f"audio of the {from_side} at the other side")


def _other(side: Side) -> Side:
    return Side.AGENT if side is Side.CALLER else Side.CALLER


@asynccontextmanager
async def opened(b2bua: B2bua, name: SessionId = S) -> AsyncIterator[Session]:
    answer = await b2bua.ask(OpenSession(serial=1, session=name, streams=1))
    assert isinstance(answer, SessionOpened)
    session = Session(name, {Side.CALLER: answer.caller[0], Side.AGENT: answer.agent[0]})
    try:
        for side in Side:
            remote = SetRemote(serial=2, session=name, side=side, streams=(session.remote(side),), mark=1)
            assert isinstance(await b2bua.ask(remote), Done)
        yield session
    finally:
        for phone in session.phones.values():
            phone.close()


def codes(packets: list[bytes]) -> list[bytes]:
    """The packets of these that are no audio."""
    found = [parse(each) for each in packets]
    return [each.payload for each in found if each is not None and each.payload_type != 0]


async def test_a_call_goes_on_on_the_same_ports_whoever_dies_and_how_often(media: MediaProcesses) -> None:
    async with connected(media.path) as b2bua, opened(b2bua) as session:
        for side in Side:
            await session.flows(side)
        for _ in range(2):
            await media.has_spare()
            await media.kill()
            async with connected(media.path) as again:  # waits in the backlog, where it is early
                restored = await again.ask(session.claim())
                assert restored == SessionClaimed(serial=9, masked=False, restored=True)
                assert await again.ask(session.claim()) == SessionClaimed(serial=9, masked=False)
                for side in Side:
                    await session.flows(side)
        async with connected(media.path) as last:
            assert isinstance(await last.ask(CloseSession(session=S)), SessionClosed)
            ports = [phone.rtp_port for phone in session.phones.values()]
            await until(lambda: not any(map(is_bound, ports)), "the ports to be free")
            assert isinstance(await last.ask(session.claim()), Refused)


async def test_a_call_goes_on_where_there_was_no_spare_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(succession, "LASTED", 3600.0)
    async with media_running(tmp_path) as media, connected(media.path) as b2bua, opened(b2bua) as session:
        await session.flows(Side.CALLER)
        assert not media.succession.has_spare
        await media.kill()
        async with connected(media.path) as again:
            assert isinstance(await again.ask(session.claim()), SessionClaimed)
            for side in Side:
                await session.flows(side)


async def test_a_masked_call_is_masked_before_its_first_packet_and_can_be_paid(media: MediaProcesses) -> None:
    async with connected(media.path) as b2bua, opened(b2bua) as session:
        await session.flows(Side.CALLER)
        assert isinstance(await b2bua.ask(SetMask(session=S, on=True)), Done)
        capture = CaptureId("c")
        assert isinstance(await b2bua.ask(StartCapture(session=S, capture=capture)), Done)
        agent = session.phones[Side.AGENT]
        everything(agent.rtp)
        keying = asyncio.create_task(press_for_ever(session))
        try:
            await media.has_spare()
            await media.kill()
            async with connected(media.path) as again:
                answer = await again.ask(session.claim(masking=Masking()))
                assert answer == SessionClaimed(serial=9, masked=True, restored=True)
                await until(lambda: session.sent > 200, "more keys")
                assert again.masks[-1].session == S
                refused = await again.ask(SetMask(session=S, on=False, released=True))
                assert isinstance(refused, Refused)  # the customer still keys
                assert isinstance(await again.ask(StartCapture(session=S, capture=capture)), Done)
                await until_counted(again, 4)
                keying.cancel()
                assert codes(everything(agent.rtp)) == []
                closed = await again.ask(CloseSession(session=S))
                assert isinstance(closed, SessionClosed)
                assert closed.agent.masked > 0
        finally:
            keying.cancel()
            await asyncio.wait([keying])


async def press_for_ever(session: Session) -> None:
    """Keys of 100 ms with pauses, as events, with audio between them."""
    while True:
        began = session.sent * 160
        for number in range(5):
            session.sent += 1
            packet = key(session.sent, 5, began, duration=160 * (number + 1), end=number == 4)
            session.phones[Side.CALLER].send(packet)
            await asyncio.sleep(0.02)
        for _ in range(5):
            session.sent += 1
            session.phones[Side.CALLER].send(rtp(session.sent, b"\xff" * 160))
            await asyncio.sleep(0.02)


async def until_counted(b2bua: B2bua, keys: int) -> None:
    """Until the newest capture has so many keys."""

    async def counted() -> bool:
        assert isinstance(await b2bua.ask(CountSessions()), Counted)
        return bool(b2bua.news) and sum(field.count for field in b2bua.news[-1].fields) >= keys

    await until(counted, f"{keys} keys to be counted")


async def test_what_cannot_be_restored_is_refused_and_its_ports_are_free(media: MediaProcesses) -> None:
    names = [SessionId(name) for name in ("wider", "secret", "again", "closed")]
    async with connected(media.path) as b2bua, contextlib.AsyncExitStack() as calls:
        sessions = {name: await calls.enter_async_context(opened(b2bua, name)) for name in names}
        await media.has_spare()
        await media.kill()
        async with connected(media.path) as again:
            assert isinstance(await again.ask(ClaimSession(session=SessionId("unknown"), streams=1)), Refused)
            wider = sessions[names[0]].claim()
            refused = ClaimSession(session=names[0], streams=2, caller=wider.caller, agent=wider.agent)
            assert isinstance(await again.ask(refused), Refused)
            keys = StreamKeys(suite="AES_CM_128_HMAC_SHA1_80", peer=bytes(30), ours=bytes(30))
            claim = sessions[names[1]].claim()
            sealed = msgspec.structs.replace(sessions[names[1]].remote(Side.AGENT), keys=keys)
            legs = {"caller": claim.caller, "agent": ClaimedLeg(streams=(sealed,))}
            assert isinstance(await again.ask(ClaimSession(session=names[1], streams=1, **legs)), Refused)
            anew = await again.ask(OpenSession(session=names[2], streams=1))
            assert isinstance(anew, SessionOpened)
            assert isinstance(await again.ask(CloseSession(session=names[3])), Refused)
            ports = {phone.rtp_port for each in sessions.values() for phone in each.phones.values()}
            ports -= {each.port for each in (*anew.caller, *anew.agent)}
            await until(lambda: not any(map(is_bound, ports)), "their ports to be free")
            counted = await again.ask(CountSessions())
            assert isinstance(counted, Counted)
            assert counted.sessions == 1


def is_bound(port: int) -> bool:
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False
