"""Feature codes of an agent's telephone in the media service over its unix socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from media.events import (
    AgentKeyed,
    AnyAnswer,
    CountSessions,
    Done,
    OpenSession,
    Refused,
    SessionId,
    SetMask,
    SetRemote,
    Side,
)
from media.service.payers import Payers
from media.service.service import MediaService
from media.settings import MediaSettings
from media.stream_description import RemoteStream
from tests.stack import media_ports, until
from tests.unit.media.service.b2bua import B2bua, connected

S = SessionId("s")


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    service = MediaService(MediaSettings(address="127.0.0.1", ports=media_ports(500)), Payers())
    await service.start()
    server = await asyncio.get_running_loop().create_unix_server(service.accept, tmp_path / "media.sock")
    yield tmp_path / "media.sock"
    server.close()
    await service.stop()


async def codes_session(b2bua: B2bua, *, codes: bool = True) -> None:
    await b2bua.ask(OpenSession(serial=1, session=S, streams=1))
    stream = RemoteStream(
        address="127.0.0.1", port=9, rtcp_address="127.0.0.1", rtcp_port=10, event_types=(101,), mu_types=(0,)
    )
    told = SetRemote(serial=2, session=S, side=Side.AGENT, streams=(stream,), codes=codes)
    assert isinstance(await b2bua.ask(told), Done)


async def told(b2bua: B2bua) -> list[str]:
    """The codes that b2bua was told, once there are any."""

    async def there() -> list[str]:
        await b2bua.ask(CountSessions(serial=8))
        return b2bua.codes

    return await until(there, "a code")


async def agent_key(b2bua: B2bua, key: str) -> AnyAnswer:
    body = f"Signal={key}\r\nDuration=160\r\n".encode()
    return await b2bua.ask(
        AgentKeyed(serial=9, session=S, request="r", content_type="application/dtmf-relay", body=body)
    )


async def test_a_code_by_info_is_told_once_and_other_keys_may_go_on(path: Path) -> None:
    async with connected(path) as b2bua:
        await codes_session(b2bua)
        assert isinstance(await agent_key(b2bua, "5"), Refused)
        for key in "*42#":
            assert isinstance(await agent_key(b2bua, key), Done)
        assert await told(b2bua) == ["42"]
        assert isinstance(await agent_key(b2bua, "what"), Refused)
        await b2bua.ask(SetMask(serial=3, session=S, on=True))
        assert isinstance(await agent_key(b2bua, "5"), Done)


async def test_where_codes_are_not_looked_for_every_key_may_go_on(path: Path) -> None:
    async with connected(path) as b2bua:
        await codes_session(b2bua, codes=False)
        assert [type(await agent_key(b2bua, key)) for key in "*42#"] == [Refused] * 4
        assert b2bua.codes == []


async def test_a_code_goes_on_where_another_b2bua_takes_over(path: Path) -> None:
    async with connected(path) as older:
        await codes_session(older)
        for key in "*42":
            assert isinstance(await agent_key(older, key), Done)
    async with connected(path) as newer:
        assert isinstance(await agent_key(newer, "#"), Done)
        assert await told(newer) == ["42"]
