"""Lets other instances know of our calls, and learns of theirs, through Redis.

Under `PREFIX:instance:NAME` stands the `Presence` of an instance, for `LEASE`; `PREFIX:instances`
has the names; on the channel `PREFIX:changes` come presences as they change, and names that end.

Rule 1: a name has one holder: who finds it held by another lets nobody count its calls, and says
        so, until the lease of the other is over.
Rule 2: what a lost message has missed is read within `_BEAT`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from b2bua.call.service_view import Fault
from b2bua.shared.presence import LEASE, Others, Presence, decode_presence, encode_presence
from tonewall.log import get_logger

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = get_logger(__name__)
PREFIX: Final = "tonewall"
_BEAT: Final = 1.0  # seconds between two presences, and between two looks at those of the others
_GATHER: Final = 0.02  # seconds in which changes of our calls are gathered
_PATIENCE: Final = 2.0  # seconds for an answer of Redis
_RETRY: Final = 1.0  # seconds until Redis is asked again
# Sets the presence of who holds the name, or of whoever comes where nobody does.
_HOLD: Final = """
local held = redis.call('GET', KEYS[1])
if held then
  local ok, presence = pcall(cjson.decode, held)
  if ok and presence.holder ~= ARGV[1] then return 0 end
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[2], ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[2])
return 1
"""
# Ends a presence, where it is the holder's.
_END: Final = """
local held = redis.call('GET', KEYS[1])
if not held then return 0 end
local ok, presence = pcall(cjson.decode, held)
if ok and presence.holder ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[2])
return 1
"""


class Instances:
    """All Tonewalls at one Redis. `url` without a password; `calls`: our own, by trunk; `holder`:
    who we are beside others of our name; `trust`: for `rediss`. `now`: seconds that never run
    backwards. Implements `Elsewhere`."""

    def __init__(
        self,
        url: str,
        name: str,
        holder: str,
        *,
        password: str = "",
        trust: str = "",
        prefix: str = PREFIX,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Loads the library: an installation without it raises ImportError."""
        from redis.asyncio import Redis  # noqa: PLC0415 - loaded where there is a Redis

        options: dict[str, Any] = {}
        if url.startswith("rediss:"):
            options = {"ssl_min_version": ssl.TLSVersion.TLSv1_2, "ssl_check_hostname": True}
            options |= {"ssl_ca_certs": trust} if trust else {}
        self._redis: Redis = Redis.from_url(
            # Without `socket_timeout`: its `asyncio.wait_for` loses a cancellation now and then.
            url, password=password or None, socket_timeout=None, socket_connect_timeout=_PATIENCE,
            client_name="tonewall", protocol=2, **options,
        )  # fmt: skip
        self.name, self._holder, self._prefix, self._now = name, holder, prefix, now
        self._others = Others(name)
        self._calls: Callable[[], Mapping[str, int]] = dict
        self._changed = asyncio.Event()
        self._fault: Fault | None = None
        self._away = False

    # --- `Elsewhere`, for the limits of trunks ----------------------------------------------------

    def calls(self, trunk: str) -> int:
        """The legs that other instances have on it."""
        return self._others.calls(trunk, self._now())

    def instances(self) -> int:
        """How many share a rate, with us."""
        return 1 + len(self._others.alive(self._now()))

    def changed(self) -> None:
        """Our own calls are others now."""
        self._changed.set()

    # --- health -----------------------------------------------------------------------------------

    def fault(self) -> Fault | None:
        """Why limits hold for us alone, where they do."""
        return self._fault

    # --- Redis ------------------------------------------------------------------------------------

    async def run(self, calls: Callable[[], Mapping[str, int]]) -> None:
        """Go on until cancelled. `calls`: our own legs, by trunk."""
        from redis.exceptions import RedisError  # noqa: PLC0415

        self._calls = calls
        while True:
            try:
                await self._share()
            except (RedisError, OSError, TimeoutError) as error:
                self._lost(error)
            await asyncio.sleep(_RETRY)

    async def close(self) -> None:
        """Let the others know that we end, and close the connections."""
        from redis.exceptions import RedisError  # noqa: PLC0415

        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._redis.eval(
                    _END, 2, self._key(self.name), self._names, self._holder, self.name, self._channel
                )
        with contextlib.suppress(RedisError, OSError):
            await self._redis.aclose()

    async def _share(self) -> None:
        """One connection, for as long as it lasts. Raises RedisError, OSError, TimeoutError."""
        async with self._redis.pubsub() as news:
            async with asyncio.timeout(_PATIENCE):
                await news.subscribe(self._channel)
            listening = asyncio.create_task(self._listen(news), name="instances")
            try:
                while not listening.done():
                    async with asyncio.timeout(_PATIENCE):
                        await self._beat()
                    await self._wait_for_change(listening)
            finally:
                listening.cancel()
                await asyncio.wait({listening})
            await listening

    async def _beat(self) -> None:
        own = Presence(name=self.name, holder=self._holder, calls=dict(self._calls()))
        held = await self._redis.eval(
            _HOLD, 2, self._key(self.name), self._names, self._holder, encode_presence(own),
            int(LEASE * 1000), self.name, self._channel,
        )  # fmt: skip
        names = [_text(name) for name in await self._redis.smembers(self._names)]
        found = await self._redis.mget([self._key(name) for name in names]) if names else []
        present = set()
        for name, text in zip(names, found, strict=True):
            presence = decode_presence(_octets(text)) if text is not None else None
            if presence is not None and presence.name == name:
                present.add(name)
                self._others.see(presence, self._now())
        self._others.keep_only(present)
        if gone := [name for name, text in zip(names, found, strict=True) if text is None]:
            await self._redis.srem(self._names, *gone)
        self._found(is_held=bool(held))

    async def _wait_for_change(self, listening: asyncio.Task[None]) -> None:
        """Until our calls change, or the next beat is due."""
        change = asyncio.create_task(self._changed.wait(), name="change")
        await asyncio.wait({change, listening}, timeout=_BEAT, return_when=asyncio.FIRST_COMPLETED)
        if not change.cancel():
            await asyncio.sleep(_GATHER)
            self._changed.clear()

    async def _listen(self, news: Any) -> None:
        async for message in news.listen():
            if message["type"] != "message":
                continue
            presence = decode_presence(message["data"])
            if presence is not None:
                self._others.see(presence, self._now())
            elif len(message["data"]) <= 64:
                self._others.forget(message["data"].decode(errors="replace"))

    # --- what is wrong ----------------------------------------------------------------------------

    def _found(self, *, is_held: bool) -> None:
        if self._away or (is_held and self._fault is not None):
            log.info("instances_shared", instance=self.name)
        self._away = False
        if is_held:
            self._fault = None
        elif self._fault is None:
            says = (
                "Another Tonewall has our name among the instances: limits of trunks hold here without our "
                "calls. See [shared] instance."
            )
            self._fault = Fault(what="shared", says=says, stops=None)
            log.error("instance_name_held", instance=self.name, hint="[shared] instance")

    def _lost(self, error: BaseException) -> None:
        if not self._away:
            log.error("instances_not_shared", why=type(error).__name__, hint="[shared] redis")
        self._away = True
        self._others.keep_only(())
        says = "Limits of trunks hold for this instance alone: Redis does not answer. See [shared] redis."
        self._fault = Fault(what="shared", says=says, stops=None)

    def _key(self, name: str) -> str:
        return f"{self._prefix}:instance:{name}"

    @property
    def _names(self) -> str:
        return f"{self._prefix}:instances"

    @property
    def _channel(self) -> str:
        return f"{self._prefix}:changes"


def _octets(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")
