"""The fencing token of a name, at one real Redis: one owner, and who was cut off meanwhile writes
nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from b2bua.shared.ownership import NOBODY, Ownership
from b2bua.shared.presence import Presence, encode_presence
from tests.redis_server import RedisServer


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[Redis]:
    server = RedisServer(tmp_path)
    await server.start()
    async with Redis.from_url(server.url, protocol=2) as client:
        yield client
    await server.stop()


async def hold(owner: Ownership) -> bool:
    return await owner.hold(encode_presence(Presence(name="n", holder=owner.holder, calls={})))


async def test_a_name_has_one_owner_and_each_has_a_higher_token_than_the_one_before(redis: Redis) -> None:
    one, two = Ownership(redis, "n", "one"), Ownership(redis, "n", "two")
    assert [await hold(one), await hold(two), await hold(one)] == [True, False, True]
    assert (one.token > NOBODY, two.token) == (True, NOBODY)
    first = one.token
    await redis.delete("tonewall:instance:n")  # its lease is over
    assert await hold(two)
    assert two.token > first
    assert not await hold(one)
    assert await redis.get("tonewall:token:n") == str(two.token).encode()


async def test_who_was_cut_off_while_another_took_the_name_writes_nothing(redis: Redis) -> None:
    one, two = Ownership(redis, "n", "one"), Ownership(redis, "n", "two")
    assert await hold(one)
    await redis.delete("tonewall:instance:n")
    assert await hold(two)
    before = await redis.get("tonewall:instance:n")
    await redis.delete("tonewall:instance:n")  # even where the other has ended
    await one.end()
    assert not await hold(one)
    assert await redis.exists("tonewall:instance:n") == 0
    await redis.set("tonewall:instance:n", before)
    await one.end()
    assert await redis.get("tonewall:instance:n") == before
    await two.end()
    assert await redis.exists("tonewall:instance:n", "tonewall:instances") == 0


async def test_the_next_process_of_one_holder_has_its_token(redis: Redis) -> None:
    before, after, restored = (Ownership(redis, "n", "one") for _ in range(3))
    assert await hold(before)
    assert await hold(after)
    restored.token = before.token
    await redis.delete("tonewall:instance:n")  # cut off for longer than its lease
    assert await hold(restored)
    assert before.token == after.token == restored.token


async def test_a_redis_that_has_lost_all_gives_no_token_twice(redis: Redis) -> None:
    one, two = Ownership(redis, "n", "one"), Ownership(redis, "n", "two")
    assert await hold(one)
    first = one.token
    await redis.flushall()
    assert await hold(one)
    assert one.token == first
    await redis.flushall()
    assert await hold(two)
    assert two.token > first
    assert not await hold(one)
    await redis.flushall()
    assert not await hold(one) or one.token > two.token


async def test_what_another_wrote_in_place_of_a_token_is_overwritten(redis: Redis) -> None:
    one = Ownership(redis, "n", "one")
    await redis.set("tonewall:token:n", b"\xff")
    assert await hold(one)
    assert one.token > NOBODY
