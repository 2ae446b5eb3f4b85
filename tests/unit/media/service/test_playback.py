"""Prompts over the media service's socket: each play has one end, and what cannot be played says
why."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from media.codecs import DecodedCodec
from media.events import (
    CaptureId,
    CloseSession,
    Done,
    InfoKeyed,
    KeyWithheld,
    OpenSession,
    Over,
    PlayPrompt,
    PromptEnd,
    PromptEnded,
    SessionId,
    SessionOpened,
    SetMask,
    SetRemote,
    Side,
    StartCapture,
    StopPrompt,
)
from media.formats.coding import Coding
from media.formats.rtp import parse
from media.prompts.shelf import SUFFIXES, PromptShelf
from media.service.payers import Payers
from media.service.service import MediaService
from media.settings import MaskTimes, MediaSettings
from media.stream_description import RemoteStream
from tests.complaints import permit_error
from tests.stack import media_ports, until
from tests.unit.media.service.b2bua import B2bua, connected

S = SessionId("s")
TYPES = {Coding.MU: (0, "mu_types"), Coding.A: (8, "a_types"), Coding.G722: (9, "g722_types")}


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    folder = tmp_path / "prompts" / "house" / "en"
    folder.mkdir(parents=True)
    for coding, suffix in SUFFIXES.items():
        for number, name in enumerate(("card_number", "expiry", "field"), 1):
            (folder / f"{name}.{suffix}").write_bytes(bytes([16 * number + coding]) * 320)
        (folder / f"long.{suffix}").write_bytes(bytes(80000))
    settings = MediaSettings(address="127.0.0.1", ports=media_ports(500))
    service = MediaService(
        settings,
        Payers(),
        MaskTimes(guard_time=0.2, release_time=1.5),
        PromptShelf(tmp_path / "prompts"),
    )
    await service.start()
    server = await asyncio.get_running_loop().create_unix_server(service.accept, tmp_path / "media.sock")
    yield tmp_path / "media.sock"
    server.close()
    await service.stop()


class Customer:
    """The customer's phone, which has this codec."""

    def __init__(self, **types: object) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        port = self.socket.getsockname()[1]
        self.remote = RemoteStream(
            address="127.0.0.1", port=port, rtcp_address="127.0.0.1", rtcp_port=port + 1, **types
        )

    def hears(self, count: int) -> bytes:
        return b"".join(parse(self.socket.recv(2048)).payload for _ in range(count))

    def type_heard(self) -> int:
        return parse(self.socket.recv(2048)).payload_type


async def opened(b2bua: B2bua, **types: object) -> Customer:
    customer = Customer(**types)
    assert isinstance(await b2bua.ask(OpenSession(serial=1, session=S, streams=1)), SessionOpened)
    remote = SetRemote(serial=2, session=S, side=Side.CALLER, streams=(customer.remote,))
    assert isinstance(await b2bua.ask(remote), Done)
    return customer


def prompt(*names: str, play: int = 1, **more: object) -> PlayPrompt:
    values = {"prompt_set": "house", **more}
    return PlayPrompt(serial=3, session=S, play=play, prompts=names, **values)


async def ended(b2bua: B2bua, count: int = 1) -> list[PromptEnded]:
    """The ends so far, once there are so many."""

    async def all_told() -> bool:
        await b2bua.ask(StopPrompt(serial=9, session=S, play=-1))
        return len(b2bua.prompts) >= count

    await until(all_told, "the prompts to end")
    return b2bua.prompts


@pytest.mark.parametrize("coding", list(Coding))
async def test_prompts_are_played_one_after_another_in_the_codec_of_the_leg(
    path: Path, coding: Coding
) -> None:
    number, name = TYPES[coding]
    async with connected(path) as b2bua:
        customer = await opened(b2bua, **{name: (number,)})
        assert isinstance(await b2bua.ask(prompt("card_number", "expiry.2")), Done)
        assert customer.type_heard() == number
        first, second = bytes([16 + coding]), bytes([32 + coding])
        assert customer.hears(3) == first * 160 + second * 320
        assert await ended(b2bua) == [PromptEnded(session=S, play=1, cause=PromptEnd.DONE)]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (prompt("amount"), "there is no prompt amount"),
        (prompt("card_number", "number-7"), "there is no prompt number-7"),
        (prompt("card_number", prompt_set="other"), "there is no prompt card_number"),
        (prompt("card_number", language="pl"), "there is no prompt card_number"),
        (prompt("../../house/en/card_number"), "a prompt has no such name"),
        (prompt("card_number", prompt_set="../x"), "no such set of prompts"),
        (prompt(*["expiry"] * 65), "ValueError in the media process"),
    ],
)
async def test_what_cannot_be_played_is_refused_with_its_reason(
    path: Path, command: PlayPrompt, reason: str
) -> None:
    permit_error("prompt_not_played")
    async with connected(path) as b2bua:
        await opened(b2bua, mu_types=(0,))
        assert isinstance(await b2bua.ask(command), Done)
        told = PromptEnded(session=S, play=1, cause=PromptEnd.REFUSED, reason=reason)
        assert b2bua.prompts == [told]


async def test_a_leg_in_another_codec_is_played_nothing(path: Path) -> None:
    async with connected(path) as b2bua:
        await opened(b2bua, decoded_types=((111, DecodedCodec.OPUS),))
        await b2bua.ask(prompt("card_number"))
        assert [each.cause for each in b2bua.prompts] == [PromptEnd.REFUSED]
        assert "G.711 or G.722" in str(b2bua.prompts[0].reason)


async def test_another_prompt_ends_the_first_and_a_stop_ends_the_second(path: Path) -> None:
    async with connected(path) as b2bua:
        await opened(b2bua, mu_types=(0,))
        await b2bua.ask(prompt("long"))
        await b2bua.ask(prompt("long", play=2))
        assert b2bua.prompts == [PromptEnded(session=S, play=1, cause=PromptEnd.STOPPED)]
        await b2bua.ask(StopPrompt(serial=4, session=S, play=1))  # which is over
        await b2bua.ask(StopPrompt(serial=5, session=S, play=2))
        told = await ended(b2bua, 2)
        assert [(each.play, each.cause) for each in told] == [(1, PromptEnd.STOPPED), (2, PromptEnd.STOPPED)]


@pytest.mark.parametrize("collects", [False, True])
async def test_a_key_by_info_ends_a_prompt(path: Path, collects: bool) -> None:
    async with connected(path) as b2bua:
        await opened(b2bua, mu_types=(0,))
        await b2bua.ask(SetMask(serial=3, session=S, on=True))
        if collects:
            start = StartCapture(serial=4, session=S, capture=CaptureId("c"), by_info=True)
            assert isinstance(await b2bua.ask(start), Done)
        await b2bua.ask(prompt("long", over=Over.DUCK))
        key = (
            InfoKeyed(serial=5, session=S, body=b"Signal=4\r\n")
            if collects
            else KeyWithheld(serial=5, session=S)
        )
        assert isinstance(await b2bua.ask(key), Done)
        assert await ended(b2bua) == [PromptEnded(session=S, play=1, cause=PromptEnd.KEY)]


@pytest.mark.parametrize(
    ("types", "ends"),
    [({"mu_types": (0,)}, False), ({"a_types": (8,)}, True), ({"a_types": (0,)}, True), ({}, True)],
)
async def test_a_prompt_ends_where_a_re_invite_gives_its_payload_type_another_meaning(
    path: Path, types: dict[str, tuple[int, ...]], ends: bool
) -> None:
    async with connected(path) as b2bua:
        await opened(b2bua, mu_types=(0,))
        await b2bua.ask(prompt("long"))
        other = SetRemote(serial=5, session=S, side=Side.CALLER, streams=(Customer(**types).remote,))
        assert isinstance(await b2bua.ask(other), Done)
        if not ends:
            assert b2bua.prompts == []
            await b2bua.ask(StopPrompt(serial=6, session=S, play=1))
        assert await ended(b2bua) == [PromptEnded(session=S, play=1, cause=PromptEnd.STOPPED)]


async def test_a_session_closes_while_it_plays(path: Path) -> None:
    async with connected(path) as b2bua:
        await opened(b2bua, mu_types=(0,))
        await b2bua.ask(prompt("long"))
        await b2bua.ask(CloseSession(serial=4, session=S))
        await opened(b2bua, mu_types=(0,))
        assert isinstance(await b2bua.ask(prompt("expiry", play=2)), Done)
        assert [(each.play, each.cause) for each in await ended(b2bua)] == [(2, PromptEnd.DONE)]
