"""kill -9 of a media process with sessions open: the next one restores those that b2bua claims, on
the same ports, masked as they were."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from b2bua.supervise import succession
from media.events import (
    CaptureId,
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
    Side,
    StartCapture,
)
from media.formats.rtp import parse
from media.kept_streams import SLOT_OCTETS
from media.mask_policy import MaskPolicy
from tests.media_processes import MediaProcesses, media_running
from tests.stack import until
from tests.unit.media.core.relay_rig import everything, key, rtp
from tests.unit.media.core.sealed import PROFILES, Sealed
from tests.unit.media.service.b2bua import B2bua, connected
from tests.unit.media.service.open_session import S, Session, opened


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "LASTED", 0.0)


@pytest.fixture
async def media(tmp_path: Path) -> AsyncIterator[MediaProcesses]:
    async with media_running(tmp_path) as found:
        yield found


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
            session.send(Side.CALLER, packet)
            await asyncio.sleep(0.02)
        for _ in range(5):
            session.sent += 1
            session.send(Side.CALLER, rtp(session.sent, b"\xff" * 160))
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
        secret = {names[1]: {Side.AGENT: Sealed("AES_CM_128_HMAC_SHA1_80")}}
        sessions = {
            name: await calls.enter_async_context(opened(b2bua, name, secret.get(name))) for name in names
        }
        await media.has_spare()
        await media.kill()
        spoil(media, 1)  # that of the sealed one: its indices are not known
        async with connected(media.path) as again:
            assert isinstance(await again.ask(ClaimSession(session=SessionId("unknown"), streams=1)), Refused)
            wider = sessions[names[0]].claim()
            refused = ClaimSession(session=names[0], streams=2, caller=wider.caller, agent=wider.agent)
            assert isinstance(await again.ask(refused), Refused)
            assert isinstance(await again.ask(sessions[names[1]].claim()), Refused)
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


def spoil(media: MediaProcesses, slot: int) -> None:
    """Have nobody able to read this slot of the recovery page."""
    os.pwrite(media.page, os.urandom(SLOT_OCTETS), slot * SLOT_OCTETS)


def slot_of(media: MediaProcesses, slot: int) -> bytes:
    """What is in it."""
    return os.pread(media.page, SLOT_OCTETS, slot * SLOT_OCTETS)


@pytest.mark.parametrize("suite", PROFILES)
async def test_a_sealed_call_goes_on_above_its_indices_whoever_dies(
    media: MediaProcesses, suite: str
) -> None:
    sides = {Side.CALLER: Sealed(suite, 1, 2), Side.AGENT: Sealed(suite, 3, 4)}
    if suite.endswith("80"):
        del sides[Side.AGENT]
    async with connected(media.path) as b2bua, opened(b2bua, sealed=sides) as session:
        session.sent = 65_530  # its numbers wrap below
        for _ in range(8):
            for side in Side:
                await session.flows(side)
        for _ in range(2):
            await media.has_spare()
            await media.kill()
            async with connected(media.path) as again:
                restored = await again.ask(session.claim())
                assert restored == SessionClaimed(serial=9, masked=False, restored=True)
                for side in Side:
                    await session.flows(side)
        for side in sides:
            came = session.indices(side)
            assert len(came) == len(set(came)) > 8
        async with connected(media.path) as last:
            assert isinstance(await last.ask(CloseSession(session=S)), SessionClosed)


async def test_the_rest_of_a_key_that_began_as_the_mask_was_off_reaches_nobody(media: MediaProcesses) -> None:
    async with connected(media.path) as b2bua, opened(b2bua) as session:
        assert isinstance(await b2bua.ask(SetMask(session=S, on=True)), Done)
        assert isinstance(await b2bua.ask(SetMask(session=S, on=False, released=True)), Done)
        await session.flows(Side.CALLER)
        began = session.sent * 160

        def holds(count: int, *, end: bool = False) -> None:
            for _ in range(count):
                session.sent += 1
                session.send(Side.CALLER, key(session.sent, 7, began, 1600, end))

        holds(3)
        await until(lambda: codes(session.hear(Side.AGENT)), "the key's beginning")
        await media.has_spare()
        await media.kill()
        holds(3)
        async with connected(media.path) as again:
            session.hear(Side.AGENT)
            answer = await again.ask(session.claim(usual_masking=Masking(policy=MaskPolicy.MUTE)))
            assert answer == SessionClaimed(serial=9, masked=True, restored=True)
            assert again.masks[-1].session == S
            holds(5)
            holds(3, end=True)
            taken_off = await again.ask(SetMask(session=S, on=False))  # no key for release_time
            assert isinstance(taken_off, Done)
            assert session.hear(Side.AGENT) == []  # the mask mutes
            await session.flows(Side.CALLER, numbered=False)
            assert all(
                parsed is not None and parsed.payload_type == 0
                for parsed in map(parse, session.hear(Side.AGENT))
            )
            closed = await again.ask(CloseSession(session=S))
            assert isinstance(closed, SessionClosed)
            assert closed.agent.masked > 0


async def test_counters_go_on_over_two_deaths(media: MediaProcesses) -> None:
    async with connected(media.path) as b2bua, opened(b2bua) as session:
        await crossed(session, 10)
        for _ in range(2):
            await media.has_spare()
            await media.kill()
            async with connected(media.path) as again:
                assert isinstance(await again.ask(session.claim()), SessionClaimed)
                await crossed(session, 10)
        async with connected(media.path) as last:
            closed = await last.ask(CloseSession(session=S))
            assert isinstance(closed, SessionClosed)
            assert (closed.caller.received, closed.agent.sent) == (30, 30)
            assert (closed.caller.expected, closed.caller.missing) == (30, 0)
            assert closed.caller_types == {0: 30}


async def crossed(session: Session, count: int) -> None:
    """Until so many packets more have come from the customer to the agent."""
    for _ in range(count):
        session.sent += 1
        session.send(Side.CALLER, rtp(session.sent))
    before = len(session.came[Side.AGENT])
    await until(lambda: session.hear(Side.AGENT) and len(session.came[Side.AGENT]) >= before + count, "them")


async def test_where_nobody_knows_whether_a_call_was_masked_it_is(media: MediaProcesses) -> None:
    async with connected(media.path) as b2bua, opened(b2bua) as session:
        await session.flows(Side.CALLER)
        await media.has_spare()
        await media.kill()
        spoil(media, 0)
        async with connected(media.path) as again:
            answer = await again.ask(session.claim())
            assert answer == SessionClaimed(serial=9, masked=True, restored=True)
            for side in Side:
                await session.flows(side, numbered=False)
            assert isinstance(await again.ask(SetMask(session=S, on=False, released=True)), Done)


async def test_a_slot_is_wiped_with_its_stream_and_the_page_takes_no_more_than_its_streams(
    media: MediaProcesses,
) -> None:
    names = [SessionId(name) for name in ("closed", "left")]
    async with connected(media.path) as b2bua, contextlib.AsyncExitStack() as calls:
        sessions = {name: await calls.enter_async_context(opened(b2bua, name)) for name in names}
        for session in sessions.values():
            await session.flows(Side.CALLER)
        assert any(slot_of(media, 0))
        assert any(slot_of(media, 1))
        assert isinstance(await b2bua.ask(CloseSession(session=names[0])), SessionClosed)
        assert not any(slot_of(media, 0))
        await media.has_spare()
        await media.kill()
        async with connected(media.path) as again:
            assert any(slot_of(media, 1))
            assert isinstance(await again.ask(CloseSession(session=names[1])), Refused)  # and let go
            assert not any(slot_of(media, 1))
    assert os.fstat(media.page).st_blocks * 512 <= 16 * SLOT_OCTETS
