"""Opens, pays and closes payment links of a provider that is played here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import httpx

from provider_adapters.local import hosted
from provider_adapters.local.books import Books, HostedLink
from provider_adapters.local.dialect import Dialect
from provider_adapters.payer import runner as runners
from provider_adapters.payment import Charge, Link, LinkRequest
from tests.contract.playing import CARDS, Exchange, play
from tests.contract.providers import Provider
from tests.contract.settling import Played

HOUR = 3600.0


class Till:
    """One provider, one link."""

    def __init__(self, provider: Provider, life: float = HOUR, **changes: Any) -> None:
        self.provider = provider
        self.flow = provider.links()
        self.books, self.dialect = provider.dialect()
        self.charge: Charge = provider.charge(**changes)
        self.request = LinkRequest(charge=self.charge, expires_at=float(int(time.time() + life)))
        self.exchanges: list[Exchange] = []

    async def open(self) -> Any:
        """What opening it says."""
        return await self._play(self.flow.open_link(self.request))

    async def opened(self) -> Link:
        """The link."""
        link = await self.open()
        assert isinstance(link, Link), link
        return link

    async def inquire(self, link: Link) -> Any:
        """What the provider says of it."""
        return await self._play(self.flow.inquire_link(self.charge, link))

    async def close(self, link: Link) -> Any:
        """What the provider says when it is closed."""
        return await self._play(self.flow.close_link(self.charge, link))

    @property
    def hosted(self) -> HostedLink:
        """The link as the provider has it."""
        [link] = self.books.links.values()
        return link

    async def pay(self, card: str = "approved") -> str:
        """A customer opens the page and pays."""
        return await pay(self.books, self.hosted, card)

    async def _play(self, flowing: Any) -> Any:
        found, exchanges = await play(flowing, self.dialect)
        self.exchanges += exchanges
        return found


async def pay(books: Books, link: HostedLink, card: str = "approved", visit: str | None = None) -> str:
    """A customer pays on the page that was opened, or opens it."""
    opened = hosted.begin_visit(link) if visit is None else visit
    return await hosted.pay(books, link, opened, CARDS[card], "0330", "123")


@contextmanager
def served(dialect: Dialect) -> Iterator[Played]:
    """Every runner's requests go to this dialect, with no socket."""
    end = Played(dialect)

    class Client(httpx.AsyncClient):
        def __init__(self, **values: Any) -> None:
            super().__init__(**values | {"verify": False, "transport": end})

    with (
        patch.object(runners.httpx, "AsyncClient", Client),
        patch.object(runners, "tls_context", lambda *_: None),
        patch.object(runners, "_MIN_WAIT", 0.001),
        patch.object(runners, "_MAX_WAIT", 0.002),
    ):
        yield end
