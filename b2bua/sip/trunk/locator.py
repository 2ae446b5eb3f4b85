"""Locator of trunks: asks DNS at the start, and again before an answer expires.

Rule 1: where DNS fails, or has a name no longer, the last answer goes on being used, and it is
        asked again soon.
Rule 2: nothing of a call waits here, but the start does, a little, so that the first calls find
        their way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Iterable, Sequence

from b2bua.call.routing.trunk import DYNAMIC, Trunk
from b2bua.sip.hop import Transport
from b2bua.sip.trunk.peers import Peer
from b2bua.sip.trunk.resolve import Resolver
from b2bua.sip.trunk.targets import Located
from b2bua.sip.trunk.trunk_table import TrunkTable
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

_REFRESH_SHARE = 0.8  # of the time to live has passed when the next answer is asked for
_MIN_INTERVAL = 2.0  # seconds between two questions, however short DNS's answers live
_RETRY_INTERVAL = 15.0  # seconds until a name that failed is asked for again
_START_TIMEOUT = 6.0  # seconds that the start waits for the first answers
log = get_logger(__name__)


class Locator:
    """One per engine. `on_change` is called after a trunk's hops may have changed."""

    def __init__(self, resolver: Resolver, table: TrunkTable, on_change: Callable[[], None]) -> None:
        self._resolver = resolver
        self._table = table
        self._on_change = on_change
        self._tasks = BackgroundTasks()
        self._following: dict[str, asyncio.Task[None]] = {}  # by trunk
        self._bound: Sequence[Transport] = ()
        self._families: Container[int] = ()

    async def start(self, bound: Sequence[Transport], families: Container[int]) -> None:
        """`bound`: the transports that we listen on, best first; `families`: the address
        families."""
        self._bound, self._families = bound, families
        asked = {name: asyncio.Event() for name, peer in self._table.peers.items() if _is_asked(peer)}
        for name, event in asked.items():
            self._begin(self._table.peers[name], event)
        waiting = [asyncio.create_task(event.wait()) for event in asked.values()]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=_START_TIMEOUT)
            for task in late:
                task.cancel()

    def ask_again(self, names: Iterable[str]) -> None:
        """Ask at once for these trunks, which are others now; of one that is gone, no more."""
        for name in names:
            if (task := self._following.pop(name, None)) is not None:
                task.cancel()
            peer = self._table.peers.get(name)
            if peer is not None and _is_asked(peer):
                self._begin(peer, asyncio.Event())

    def _begin(self, peer: Peer, asked: asyncio.Event) -> None:
        following = self._follow(peer, self._bound, self._families, asked)
        self._following[peer.trunk.name] = self._tasks.start(following, "trunk")

    async def close(self) -> None:
        """Stop asking."""
        await self._tasks.cancel()

    async def _follow(
        self, peer: Peer, bound: Sequence[Transport], families: Container[int], asked: asyncio.Event
    ) -> None:
        transports = usable_transports(peer.trunk, bound)
        while True:
            wait = _RETRY_INTERVAL
            try:
                located = await self._locate(peer, transports, families)
            except LookupError:
                log.warning("trunk_not_resolved", trunk=peer.trunk.name)
            else:
                wait = max(located.ttl * _REFRESH_SHARE, _MIN_INTERVAL)
                if located.targets != peer.located.targets:
                    self._table.set_located(peer, located)
                    log.info("trunk_resolved", trunk=peer.trunk.name, count=len(peer.health))
                    self._on_change()
            asked.set()
            if wait == float("inf"):
                return
            await asyncio.sleep(wait)

    async def _locate(self, peer: Peer, transports: Sequence[Transport], families: Container[int]) -> Located:
        host, port = peer.trunk.host, peer.trunk.port
        try:
            return await self._resolver.locate(host, port, transports, families)
        except LookupError:
            if peer.located.targets:
                raise
            return await self._resolver.locate_by_system(host, port, transports, families)


def _is_asked(peer: Peer) -> bool:
    return peer.trunk.host != DYNAMIC and not peer.is_retired


def usable_transports(trunk: Trunk, bound: Sequence[Transport]) -> list[Transport]:
    """What a trunk may be reached by: the one of its configuration, or all that we listen on, UDP
    first."""
    if trunk.transport:
        return [Transport(trunk.transport)]
    return [transport for transport in Transport if transport in bound] or [Transport.UDP]
