"""Checks of the Redis of all instances: each finding says what to do."""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis

from b2bua.doctor.finding import Level
from b2bua.doctor.shared import check_shared
from tests.redis_server import RedisServer
from tests.unit.b2bua.doctor.written import settings


async def found(folder: Path, redis: str, **more: str) -> list[tuple[Level, str]]:
    own = settings(folder, shared={"redis": redis, "instance": "one", **more})
    return [(each.level, each.text) for each in await check_shared(own)]


async def test_whether_it_answers_and_who_is_there_is_said(tmp_path: Path) -> None:
    assert await found(tmp_path, "") == []
    server = RedisServer(tmp_path)
    await server.start()
    assert await found(tmp_path, server.url) == [
        (Level.GOOD, "Redis answers; we are one, and no other has a name there yet")
    ]
    async with Redis.from_url(server.url, protocol=2) as client:
        await client.sadd("tonewall:instances", "one", "two")
        [(level, text)] = await found(tmp_path, server.url)
        assert (level, "names there: 1" in text) == (Level.GOOD, True)
        await client.delete("tonewall:instances")
        await client.set("tonewall:instances", "of another program")
        [(level, text)] = await found(tmp_path, server.url)
        assert (level, "WRONGTYPE" in text, "[shared]" in text) == (Level.FAULT, True, True)
        await client.config_set("requirepass", "a-secret")
    [(level, text)] = await found(tmp_path, server.url)
    assert (level, "Authentication required" in text) == (Level.FAULT, True)
    await server.stop()
    [(level, text)] = await found(tmp_path, server.url, password="a-secret")
    assert (level, "a-secret" in text) == (Level.FAULT, False)
