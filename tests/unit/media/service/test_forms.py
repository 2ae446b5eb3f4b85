"""Forms that media does not key, whatever b2bua asks for: they would show or tell too much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from media.events import (
    CaptureForm,
    CaptureId,
    Done,
    FormField,
    OpenSession,
    Refused,
    SessionId,
    SetMask,
    StartCapture,
)
from media.service.payers import Payers
from media.service.service import MediaService
from media.settings import MaskTimes, MediaSettings
from tests.complaints import permit_error
from tests.stack import media_ports
from tests.unit.media.service.b2bua import connected

S, C = SessionId("s"), CaptureId("c")


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    settings = MediaSettings(address="127.0.0.1", ports=media_ports(500))
    service = MediaService(settings, Payers(), MaskTimes(guard_time=0.2, release_time=1.5))
    await service.start()
    server = await asyncio.get_running_loop().create_unix_server(service.accept, tmp_path / "media.sock")
    yield tmp_path / "media.sock"
    server.close()
    await service.stop()


@pytest.mark.parametrize(
    "fields",
    [
        (FormField(name="a", kind="digits", min_length=4, max_length=4, last_shown=4),),
        (FormField(name="a", kind="digits", min_length=1, max_length=1, check="luhn"),),
        (FormField(name="a", kind="digits", min_length=19, max_length=64),),
        (FormField(name="number", kind="card_number"),),
        tuple(FormField(name=f"n{index}", kind="sort_code") for index in range(13)),
    ],
)
async def test_a_form_that_would_show_too_much_is_refused_and_the_next_one_is_keyed(
    path: Path, fields: tuple[FormField, ...]
) -> None:
    permit_error("form_refused")  # seen where another test has set up the log
    async with connected(path) as b2bua:
        await b2bua.ask(OpenSession(serial=1, session=S, streams=1))
        await b2bua.ask(SetMask(serial=2, session=S, on=True))
        answer = await b2bua.ask(
            StartCapture(serial=3, session=S, capture=C, form=CaptureForm(fields=fields))
        )
        assert isinstance(answer, Refused)
        assert answer.reason.startswith("the form cannot be keyed: ")
        good = CaptureForm(fields=(FormField(name="sort_code", kind="sort_code"),))
        start = StartCapture(serial=4, session=S, capture=C, form=good)
        assert isinstance(await b2bua.ask(start), Done)
