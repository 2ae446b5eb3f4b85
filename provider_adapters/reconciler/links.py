"""Opens payment links, follows them until they are paid or nobody can pay them, and closes them.

Rule 1: nobody gets a link before its URL is in the journal. So an opening of which nobody knows
        what became of it can be repeated, and cannot be paid: the customer has no URL.
Rule 2: a link ends when the provider says so: not after a time, and not because somebody wanted it
        closed.
Rule 3: it is made of the journal's lines alone, so a restart loses nothing.

Times are seconds since the epoch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from provider_adapters.account import Account
from provider_adapters.base import LinkFlow, LinkInquiry
from provider_adapters.errors import ProviderError
from provider_adapters.payer.entry import Decider, Entry
from provider_adapters.payer.journal import Journal
from provider_adapters.payer.runner import Runner, is_decided
from provider_adapters.payment import (
    DIFFERENCES,
    LINK_CLOSED,
    LINK_EXPIRED,
    NOT_DECIDED,
    Accepted,
    Failed,
    Link,
    LinkRequest,
    Outcome,
    Unknown,
    name_provider,
    outcome_type,
)
from provider_adapters.reconciler.withholding import withhold_card_numbers
from tonewall.log import get_logger

log = get_logger(__name__)
MIN_PAUSE, MAX_PAUSE = 5.0, 600.0  # seconds between two inquiries about one link
# A link is asked about again after so much of its age: every five seconds while the call lasts.
_PART_OF_AGE = 1 / 60
_LOOK_UP = "look the charge up at the provider, and settle it there by hand"


@dataclass(slots=True)
class Item:
    """One open link. `since`: when it was opened."""

    entry: Entry
    since: float
    next_at: float
    asking: bool = False

    @property
    def link(self) -> Link:
        assert self.entry.link is not None
        return self.entry.link


class Links:
    """The open links by key. `accounts` and `flows`: by name, `flows` of those that make links;
    `limit`: seconds after an expiry after which nobody asks any more."""

    def __init__(
        self, journal: Journal, accounts: Mapping[str, Account], flows: Mapping[str, LinkFlow], limit: float
    ) -> None:
        self._journal, self._accounts, self._flows, self._limit = journal, accounts, flows, limit
        self._items: dict[str, Item] = {}
        self._opening: set[str] = set()

    # --- what is open -----------------------------------------------------------------------------

    def observe(self, entry: Entry) -> None:
        """Follow one line of the journal."""
        if entry.kind != "link" or entry.link is None:
            return
        item = self._items.get(entry.key)
        at = datetime.fromisoformat(entry.at).timestamp()
        if not entry.is_open:
            self._items.pop(entry.key, None)
        elif item is None:
            self._items[entry.key] = Item(entry, at, _first_at(entry, at))
        elif entry.link.url and not item.link.url:
            self._items[entry.key] = Item(entry, at, _first_at(entry, at), item.asking)

    def keep(self) -> None:
        """Note all open links again, in a journal that was just begun. Raises OSError."""
        for item in list(self._items.values()):
            self._journal.keep_link(item.entry)

    def due(self, now: float, most: int) -> list[Item]:
        """At most so many that are to be asked about now, the longest waiting first; they count as
        being asked about until `ask` ends."""
        waiting = sorted(
            (item for item in self._items.values() if not item.asking and item.next_at <= now),
            key=lambda item: item.next_at,
        )
        for item in waiting[:most]:
            item.asking = True
        return waiting[: max(0, most)]

    def ask_now(self, keys: Iterable[str], now: float) -> None:
        """Ask about these at the next occasion, or about all where none is named."""
        named = set(keys)
        for key, item in self._items.items():
            if item.link.url and (not named or key in named):
                item.next_at = min(item.next_at, now)

    def next_times(self, keys: Iterable[str]) -> dict[str, float]:
        """When each of these is asked about next, of those that are open."""
        return {key: self._items[key].next_at for key in keys if key in self._items}

    def find(self, key: str) -> Link | None:
        """The open link under a key."""
        item = self._items.get(key)
        return item.link if item is not None and item.link.url else None

    # --- opening, closing, asking -----------------------------------------------------------------

    async def open(self, request: LinkRequest, provider: str) -> Link | Outcome:
        """Open a link at a provider that makes some, or find what was opened under its key. Raises
        OSError where the journal
        fails before anything is sent."""
        key = request.charge.idempotency_key
        if key in self._opening:
            return Unknown(reason="in_progress")
        known = self._journal.begin_link(request, provider)
        if isinstance(known, Failed):
            return known
        assert known.link is not None
        if known.link.url and not isinstance(known.outcome, Failed):
            return known.link
        if (outcome := _outcome(known)) is not None:
            return outcome
        if provider not in self._flows:
            return Failed(reason="not_supported")
        self._opening.add(key)
        try:
            # As the first request had it: the provider compares what comes under one key.
            request = msgspec.structs.replace(request, expires_at=known.link.expires_at)
            return await self._open(request, provider)
        finally:
            self._opening.discard(key)

    async def _open(self, request: LinkRequest, provider: str) -> Link | Outcome:
        key, runner = request.charge.idempotency_key, Runner(self._accounts[provider])
        try:
            found = await runner.settle(self._flows[provider].open_link(request), lambda _: _nothing_to_ask())
        finally:
            await runner.close()
        try:
            if isinstance(found, Link):
                if not self._journal.note_link(key, found):
                    return Unknown(reason="already_sent")
                log.info("link_opened", payment=key)
            elif not isinstance(found, Unknown):
                self._journal.decide(key, found, "")
        except OSError as error:
            log.error("journal_failed", setting="[provider] journal", exc_info=error)
            return Unknown(reason="journal_failed")
        return found

    async def close(self, key: str) -> Outcome:
        """Close a link, and ask what was paid before. Raises OSError where the journal fails."""
        item = self._items.get(key)
        entry = self._journal.lookup(key) or (item.entry if item is not None else None)
        if entry is None or entry.kind != "link" or entry.link is None:
            return Unknown(reason="link_not_known")
        if (outcome := _outcome(entry)) is not None:
            return outcome
        if key in self._opening:
            return Unknown(reason="in_progress")
        if not entry.link.url:
            return self._decide(entry, Failed(reason=LINK_CLOSED), "")
        found = await self._drive(entry, lambda flow, link: flow.close_link(entry.charge, link))
        if found is None or isinstance(found, Link):
            self.ask_now([key], time.time() + MIN_PAUSE)
            return Unknown(reason="not_cancelled")
        return self._decide(entry, found, "")

    async def ask(self, item: Item) -> None:
        """Ask what became of a link; from its expiry on, close it first."""
        entry, link = item.entry, item.link
        now = time.time()
        found: Outcome | Link | None = None
        is_over = now >= link.expires_at
        if link.url:
            found = await self._drive(
                entry,
                lambda flow, link: (
                    flow.close_link(entry.charge, link) if is_over else flow.inquire_link(entry.charge, link)
                ),
            )
        elif is_over and entry.key not in self._opening:
            found = Failed(reason=LINK_EXPIRED)
        now = time.time()
        if isinstance(found, Failed) and is_over:
            grace = self._grace(entry) if link.url else 0.0
            found = Failed(reason=LINK_EXPIRED) if now >= link.expires_at + grace else None
        if (found is None or isinstance(found, Link)) and now > link.expires_at + self._limit:
            found = Unknown(reason=NOT_DECIDED)
            log.error("charge_not_decided", payment=entry.key, hint=_LOOK_UP)
        try:
            if found is not None and not isinstance(found, Link):
                self._decide(entry, found, "reconciler")
        except OSError as error:
            log.error("journal_failed", setting="[provider] journal", exc_info=error)
        item.asking, item.next_at = False, now + _pause(item, now)

    def _grace(self, entry: Entry) -> float:
        flow = self._flows.get(entry.provider)
        return 0.0 if flow is None else flow.LINK_GRACE

    def _decide(self, entry: Entry, outcome: Outcome, by: Decider) -> Outcome:
        """Note the end of a link; what stands. Raises OSError."""
        outcome = name_provider(outcome, entry.provider)
        if isinstance(outcome, Unknown) and outcome.reason in DIFFERENCES:
            log.error("approval_of_something_else", reason=outcome.reason, payment=entry.key, hint=_LOOK_UP)
        if not self._journal.decide(entry.key, outcome, by):
            known = self._journal.lookup(entry.key)
            return (_outcome(known) if known is not None else None) or outcome
        self._items.pop(entry.key, None)
        log.info("link_ended", outcome=outcome_type(outcome), payment=entry.key)
        return outcome

    async def _drive(
        self, entry: Entry, flow_of: Callable[[LinkFlow, Link], LinkInquiry]
    ) -> Outcome | Link | None:
        """What a flow returns; None where it could not be brought to its end."""
        flow, account = self._flows.get(entry.provider), self._accounts.get(entry.provider)
        if flow is None or account is None or entry.link is None:
            log.warning("inquiry_failed", reason="no_such_provider", payment=entry.key)
            return None
        runner = Runner(account)
        try:
            async with asyncio.timeout(account.timeout):
                found = await runner.drive(flow_of(flow, entry.link))
        except (ProviderError, TimeoutError) as error:
            reason = error.reason if isinstance(error, ProviderError) else "timeout"
            log.warning("inquiry_failed", reason=reason, payment=entry.key)
            return None
        except Exception as error:
            log.error("adapter_failed", payment=entry.key, exc_info=error)
            return None
        finally:
            await runner.close()
        if found is None or isinstance(found, Link):
            return found
        return withhold_card_numbers(found) if is_decided(found) else None


def _outcome(entry: Entry) -> Outcome | None:
    """What became of a link, of which nothing is only accepted."""
    return None if isinstance(entry.outcome, Accepted) else entry.outcome


def _first_at(entry: Entry, at: float) -> float:
    """When a link is asked about first: one without a URL not before its expiry."""
    assert entry.link is not None
    return at + MIN_PAUSE if entry.link.url else entry.link.expires_at


def _pause(item: Item, now: float) -> float:
    """Seconds until the next inquiry: more with the link's age, and never past its expiry."""
    expires_at = item.link.expires_at
    since = item.since if now < expires_at else expires_at
    pause = min(max((now - since) * _PART_OF_AGE, MIN_PAUSE), MAX_PAUSE)
    return max(min(pause, expires_at - now), MIN_PAUSE) if now < expires_at else pause


def _nothing_to_ask() -> Any:
    return None
    yield
