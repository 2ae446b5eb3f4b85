"""Opens connections to Redis or Valkey."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from redis.asyncio import Redis

PATIENCE: Final = 2.0
"""Seconds for an answer."""


def open_redis(url: str, password: str, trust: str) -> Redis:
    """A client, not connected yet. `url` without a password; `trust`: authorities for TLS,
    where not the public ones. An installation without the library raises ImportError."""
    from redis.asyncio import Redis  # noqa: PLC0415 - loaded where there is a Redis

    options: dict[str, Any] = {}
    if url.startswith("rediss:"):
        options = {"ssl_min_version": ssl.TLSVersion.TLSv1_2, "ssl_check_hostname": True}
        options |= {"ssl_ca_certs": trust} if trust else {}
    client: Redis = Redis.from_url(
        # Without `socket_timeout`: its `asyncio.wait_for` loses a cancellation now and then.
        url, password=password or None, socket_timeout=None, socket_connect_timeout=PATIENCE,
        client_name="tonewall", protocol=2, **options,
    )  # fmt: skip
    return client


async def read_names(url: str, password: str, trust: str, key: str, most: int) -> list[str]:
    """The names under a key, so many at most. Raises OSError with one line of what is
    wrong, and ImportError."""
    client = open_redis(url, password, trust)
    from redis.exceptions import RedisError  # noqa: PLC0415

    try:
        async with asyncio.timeout(PATIENCE):
            return sorted(await some_members(client, key, most))
    except TimeoutError:
        raise OSError("no answer") from None
    except RedisError as error:
        raise OSError(str(error).partition("\n")[0]) from None
    finally:
        with contextlib.suppress(RedisError, OSError):
            await client.aclose()


async def some_members(client: Redis, key: str, most: int) -> list[str]:
    """Of a set: all, where they are no more than `most`. Raises RedisError, OSError."""
    found: Any = await client.srandmember(key, most)
    return [text_of(each) for each in found or ()]


def octets(value: bytes | str) -> bytes:
    """What Redis has, as octets."""
    return value if isinstance(value, bytes) else value.encode()


def text_of(value: bytes | str) -> str:
    """What Redis has, as text."""
    return value if isinstance(value, str) else value.decode(errors="replace")
