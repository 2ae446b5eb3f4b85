"""Lets other instances know of our calls, and learns of theirs, through Redis.

Under its name stands the `Presence` of an instance, for `LEASE`; `NAMES` has the names; on
`CHANNEL` come presences as they change, and names that end.

Rule 1: a name has one owner (`b2bua.shared.ownership`): who finds that it is another's lets nobody
        count its calls, and says so, until the lease of the other is over.
Rule 2: what a lost message has missed is read within `_BEAT`.
Rule 3: whatever goes wrong with Redis is a fault that is shown, and is tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from b2bua.call.service_view import Fault
from b2bua.shared.connection import PATIENCE, octets, open_redis, some_members
from b2bua.shared.ownership import CHANNEL, NAMES, Ownership, instance_key
from b2bua.shared.presence import MAX_NAMES, Others, Presence, decode_presence, encode_presence
from tonewall.log import get_logger

log = get_logger(__name__)
_BEAT: Final = 1.0  # seconds between two presences, and between two looks at those of the others
_NO_ANSWER: Final = Fault(
    what="shared",
    says="Limits of trunks hold for this instance alone: Redis does not answer. See [shared] redis.",
    stops=None,
)
_NAME_HELD: Final = Fault(
    what="shared",
    says="Another Tonewall has our name among the instances: limits of trunks hold here without our calls. "
    "See [shared] instance.",
    stops=None,
)
_GATHER: Final = 0.02  # seconds in which changes of our calls are gathered
_RETRY: Final = 1.0  # seconds until Redis is asked again


class Instances:
    """All Tonewalls at one Redis, whose `url` has no password. `holder`: who we are beside others
    of our name; `trust`: authorities for TLS. `now`: seconds that never run backwards. Implements
    `Elsewhere`."""

    def __init__(
        self,
        url: str,
        name: str,
        holder: str,
        *,
        password: str = "",
        trust: str = "",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Loads the library: an installation without it raises ImportError."""
        self._redis = open_redis(url, password, trust)
        self.name, self._now = name, now
        self._ownership = Ownership(self._redis, name, holder)
        self._others = Others(name)
        self._calls: Callable[[], Mapping[str, int]] = dict
        self._changed = asyncio.Event()
        self._fault: Fault | None = None

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
        self._calls = calls
        while True:
            try:
                await self._share()
            except Exception as error:  # the library raises more than it documents
                self._lost(error)
            await asyncio.sleep(_RETRY)

    async def close(self) -> None:
        """Let the others know that we end, and close the connections."""
        from redis.exceptions import RedisError  # noqa: PLC0415

        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._ownership.end()
        with contextlib.suppress(RedisError, OSError):
            await self._redis.aclose()

    async def _share(self) -> None:
        """One connection, for as long as it lasts. Raises RedisError, OSError, TimeoutError."""
        async with self._redis.pubsub() as news:
            async with asyncio.timeout(PATIENCE):
                await news.subscribe(CHANNEL)
            listening = asyncio.create_task(self._listen(news), name="instances")
            try:
                while not listening.done():
                    async with asyncio.timeout(PATIENCE):
                        await self._beat()
                    await self._wait_for_change(listening)
            finally:
                listening.cancel()
                await asyncio.wait({listening})
            await listening

    async def _beat(self) -> None:
        own = Presence(name=self.name, holder=self._ownership.holder, calls=dict(self._calls()))
        is_held = await self._ownership.hold(encode_presence(own))
        names = await some_members(self._redis, NAMES, MAX_NAMES)
        found = await self._redis.mget([instance_key(name) for name in names]) if names else []
        present = set()
        for name, text in zip(names, found, strict=True):
            presence = decode_presence(octets(text)) if text is not None else None
            if presence is not None and presence.name == name:
                present.add(name)
                self._others.see(presence, self._now())
        self._others.keep_only(present)
        if gone := [name for name, text in zip(names, found, strict=True) if text is None]:
            await self._redis.srem(NAMES, *gone)
        self._found(is_held=is_held)

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
        fault = None if is_held else _NAME_HELD
        if fault is not self._fault:
            if is_held:
                log.info("instances_shared", instance=self.name)
            else:
                log.error("instance_name_held", instance=self.name, hint="[shared] instance")
        self._fault = fault

    def _lost(self, error: BaseException) -> None:
        if self._fault is not _NO_ANSWER:
            log.error("instances_not_shared", why=type(error).__name__, hint="[shared] redis")
        self._fault = _NO_ANSWER
        self._others.keep_only(())
