"""Sends captures, voids and refunds of unknown outcome once more, under their own keys.

Rule 1: only what its provider promises to do once under a key is repeated (`Request.repeatable`),
        and only as long as providers keep keys: after that the same request would be another.
Rule 2: it is the same request: b2bua, which holds it, says it anew; the journal has its reference
        and its provider.
Rule 3: a fault, or a refusal at the door, says nothing of what was sent before: it stays open.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from provider_adapters.account import Account
from provider_adapters.base import Flow
from provider_adapters.errors import ProviderError
from provider_adapters.payer.runner import NotRepeatable, Runner
from provider_adapters.payment import DIFFERENCES, FollowUp, FollowUpOutcome, Unknown
from provider_adapters.reconciler.agenda import Item
from provider_adapters.reconciler.later import LaterRequests
from provider_adapters.reconciler.messages import LaterInquiry, LaterResult
from provider_adapters.reconciler.withholding import withhold_card_numbers
from tonewall.log import get_logger

log = get_logger(__name__)
# Stripe keeps keys for a day at least, and names the shortest time of those that promise it.
REPEATED_FOR: Final = 20 * 3600.0  # seconds after a request was first sent
_MOST = 10_000  # requests that are remembered


class Repetition:
    """The requests that may be repeated."""

    def __init__(
        self, accounts: Mapping[str, Account], flows: Mapping[str, Flow[Any]], later: LaterRequests
    ) -> None:
        self._accounts, self._flows, self._later = accounts, flows, later
        self._requests: dict[str, FollowUp] = {}
        self._refused: set[str] = set()  # of whose providers nobody promised it

    def resolve(self, inquiry: LaterInquiry) -> LaterResult:
        """What became of a request, which may be repeated from now on."""
        self._remember(inquiry.follow_up)
        return self._later.resolve(inquiry)

    def _remember(self, request: FollowUp) -> None:
        self._requests.pop(request.key, None)
        self._requests[request.key] = request
        if len(self._requests) > _MOST:
            oldest = next(iter(self._requests))
            del self._requests[oldest]
            self._refused.discard(oldest)

    async def repeat(self, item: Item, provider: str) -> FollowUpOutcome | None:
        """What it came to; None where it was not sent, or stays open."""
        key = item.entry.key
        request, account = self._requests.get(key), self._accounts.get(provider)
        if request is None or account is None or key in self._refused or self._later.is_sending(key):
            return None
        last = time.time() + account.timeout + account.inquiry_time
        if last > item.sent_at + REPEATED_FOR:
            return None
        request = msgspec.structs.replace(request, reference=item.entry.reference)
        runner = Runner(account, is_repetition=True)
        with self._later.sending(key):
            try:
                found = await runner.drive(self._flows[provider].follow_up(request))
            except NotRepeatable:
                self._refused.add(key)
                return None
            except ProviderError as error:
                log.warning("repetition_failed", reason=error.reason, payment=key)
                return None
            except Exception as error:
                log.error("adapter_failed", payment=key, exc_info=error)
                return None
            finally:
                await runner.close()
        if not runner.has_repeated or (isinstance(found, Unknown) and found.reason not in DIFFERENCES):
            return None  # a request before it failed, which moves no money
        return withhold_card_numbers(found)
