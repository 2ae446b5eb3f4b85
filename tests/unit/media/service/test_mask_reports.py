"""What the media process reports of masks: each that went on has gone off once, whatever ended it,
and is told to the next b2bua where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from media.events import (
    AnyCommand,
    CloseSession,
    CountSessions,
    Done,
    MaskEnd,
    MaskTally,
    MaskWentOff,
    MaskWentOn,
    OpenSession,
    SessionId,
    SetMask,
)
from media.service.mask_reports import MaskReports, Report
from media.service.payers import Payers
from media.service.service import MediaService
from media.service.session_protocol import MaskSpan
from media.settings import MaskTimes, MediaSettings
from tests.complaints import permit_error
from tests.stack import media_ports, until
from tests.unit.media.service.b2bua import connected

S = SessionId("s")
ON = SetMask(serial=2, session=S, on=True)
OFF = SetMask(serial=3, session=S, on=False)
RELEASED = SetMask(serial=3, session=S, on=False, released=True)


class Session:
    """A session as the reports see it."""

    def __init__(self, span: MaskSpan | None = None) -> None:
        self.id, self.span = S, span or MaskSpan(100, 200, MaskTally(keys_as_events=4))

    def mask_span(self) -> MaskSpan:
        return self.span


class Told:
    """Reports, and whether anybody hears them."""

    def __init__(self) -> None:
        self.news: list[Report] = []
        self.hears = True
        self.reports = MaskReports(self.news.append, lambda: self.hears)


def test_a_mask_that_stays_on_is_told_once_and_its_end_once() -> None:
    told, session = Told(), Session()
    for _ in range(2):
        told.reports.went_on(session)  # type: ignore[arg-type]
    for _ in range(2):
        told.reports.went_off(session, MaskEnd.QUIET)  # type: ignore[arg-type]
    off = MaskWentOff(session=S, since=100, until=200, why=MaskEnd.QUIET, tally=MaskTally(keys_as_events=4))
    assert told.news == [MaskWentOn(session=S, since=100), off]


def test_a_mask_that_was_in_doubt_is_told_to_have_been_and_the_next_is_not() -> None:
    told, session = Told(), Session()
    told.reports.doubt(session)  # type: ignore[arg-type]
    for _ in range(2):
        told.reports.went_on(session)  # type: ignore[arg-type]
        if not told.news[1:]:
            told.reports.doubt(session)  # type: ignore[arg-type]
        told.reports.went_off(session, MaskEnd.QUIET)  # type: ignore[arg-type]
    ends = [each.doubtful for each in told.news if isinstance(each, MaskWentOff)]
    assert ends == [True, False]


def test_what_nobody_heard_is_told_in_order_once_somebody_does() -> None:
    told, session = Told(), Session()
    told.hears = False
    told.reports.went_on(session)  # type: ignore[arg-type]
    told.reports.went_off(session, MaskEnd.B2BUA_LOST)  # type: ignore[arg-type]
    told.reports.tell_waiting()
    assert told.news == []
    told.hears = True
    told.reports.tell_waiting()
    assert [type(each) for each in told.news] == [MaskWentOn, MaskWentOff]


def test_a_session_that_cannot_be_counted_is_closed_all_the_same() -> None:
    class Gone(Session):
        def mask_span(self) -> MaskSpan:
            raise KeyError(7)

    told = Told()
    told.reports.went_on(Session())  # type: ignore[arg-type]
    permit_error("mask_not_counted")
    told.reports.went_off(Gone(), MaskEnd.CALL_ENDED)  # type: ignore[arg-type]
    assert len(told.news) == 1


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    """The socket of a media service with the real core."""
    settings = MediaSettings(address="127.0.0.1", ports=media_ports(100), quiet_time=0.1)
    service = MediaService(settings, Payers(), MaskTimes(guard_time=0.2, release_time=1))
    await service.start()
    server = await asyncio.get_running_loop().create_unix_server(service.accept, tmp_path / "media.sock")
    looking = asyncio.create_task(service.end_quiet_orphans())
    yield tmp_path / "media.sock"
    looking.cancel()
    server.close()
    await service.stop()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (OFF, MaskEnd.QUIET),
        (RELEASED, MaskEnd.RELEASED),
        (CloseSession(serial=3, session=S), MaskEnd.CALL_ENDED),
    ],
)
async def test_a_mask_of_the_core_is_told_before_the_command_that_ends_it_is_answered(
    path: Path, command: AnyCommand, why: MaskEnd
) -> None:
    async with connected(path) as b2bua:
        await b2bua.ask(OpenSession(serial=1, session=S, streams=2))
        assert isinstance(await b2bua.ask(ON), Done)
        await b2bua.ask(command)
        on, off = b2bua.masks
        assert isinstance(on, MaskWentOn)
        assert isinstance(off, MaskWentOff)
        assert (off.why, off.tally, off.doubtful) == (why, MaskTally(), False)
        assert 0 < on.since == off.since <= off.until


async def test_a_mask_that_was_never_on_is_not_told(path: Path) -> None:
    async with connected(path) as b2bua:
        await b2bua.ask(OpenSession(serial=1, session=S, streams=1))
        await b2bua.ask(CloseSession(serial=3, session=S))
        assert b2bua.masks == []


async def test_the_next_b2bua_hears_of_a_mask_that_outlived_the_last(path: Path) -> None:
    async with connected(path) as first:
        await first.ask(OpenSession(serial=1, session=S, streams=1))
        await first.ask(ON)
    async with connected(path) as second:

        async def heard() -> bool:
            await second.ask(CountSessions(serial=9))
            return bool(second.masks)

        await until(heard, "the end of the mask")
        (off,) = second.masks
        assert isinstance(off, MaskWentOff)
        assert off.why is MaskEnd.B2BUA_LOST
