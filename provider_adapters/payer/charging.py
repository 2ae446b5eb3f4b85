"""Charges one card at the first provider that takes the charge, or hands the fields of a form to
the company's service, with the journal before each of them.

Rule 1: the next provider is tried only where the one before certainly did not charge: its circuit
        is open, or the charge Failed. Never after Unknown, and never after a decline.
Rule 2: a charge that none of the chosen providers offers is refused before the journal notes it, so
        its key can still be used.
Rule 3: an outcome leaves only after it was searched for the digits themselves; providers do quote
        what they are sent.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, assert_never

import msgspec

from provider_adapters import registry
from provider_adapters.account import Account
from provider_adapters.base import Flow, Request
from provider_adapters.keyed import Keyed
from provider_adapters.payer.circuits import CIRCUIT_OPEN, Circuits, CircuitState
from provider_adapters.payer.journal import Journal
from provider_adapters.payer.runner import Runner
from provider_adapters.payment import (
    DIFFERENCES,
    Approved,
    Charge,
    Declined,
    Failed,
    Outcome,
    PartiallyApproved,
    Unknown,
    name_provider,
)
from tonewall.log import get_logger, log_ids

_KEY = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_WITHHELD = "withheld"
_NOT_OFFERED = Failed(reason="request_refused", code="not_supported")
log = get_logger(__name__)


class Provider:
    """One provider, ready to be charged at."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.flow: Flow[Any] = registry.load(account)
        self.note: list[tuple[Journal, Charge, Keyed]] = []
        self.runner = Runner(account, self._note_step)

    def _note_step(self, request: Request) -> None:
        [(journal, charge, card)] = self.note
        notes = {name: _WITHHELD if card.quoted_in(value) else value for name, value in request.notes.items()}
        journal.note_step(charge, self.account.name, request.step, notes)


class Charging:
    """The providers by name, in order; the first is the default. Raises OSError where a `ca_file`
    cannot be read."""

    def __init__(self, accounts: Sequence[Account], journal: Journal) -> None:
        self._providers = {account.name: Provider(account) for account in accounts}
        self._journal = journal
        self._circuits = Circuits(Path(accounts[0].journal + ".circuits"))

    async def open(self) -> None:
        """Load what the first request would load."""
        for each in self._providers.values():
            await each.runner.open()

    async def close(self) -> None:
        """Close the connections."""
        for each in self._providers.values():
            await each.runner.close()

    async def charge(self, charge: Charge, card: Keyed) -> Outcome:
        """Charge the card, or deliver the fields, once. Wipes them. Never raises for a fault."""
        try:
            with log_ids(payment=charge.idempotency_key):
                return await self._charge(charge, card)
        finally:
            card.wipe()

    async def _charge(self, charge: Charge, card: Keyed) -> Outcome:
        if not _KEY.fullmatch(charge.idempotency_key):
            return Failed(reason="bad_idempotency_key")
        chosen = self._choose(charge)
        able = [each for each in chosen if charge.operation in each.flow.OPERATIONS]
        try:
            # Of a key that was sent once, under other settings perhaps, the journal knows better.
            if not able and self._journal.lookup(charge.idempotency_key) is None:
                return _NOT_OFFERED if chosen else Failed(reason="no_such_provider")
            known = self._journal.begin(charge, able[0].account.name if able else "")
        except OSError as error:
            log.error("journal_failed", payment=charge.idempotency_key, exc_info=error)
            return Failed(reason="journal_failed")
        if known is not None:
            return known
        try:
            outcome, provider = await self._charge_in_turn(charge, card, able)
        except Exception as error:
            log.error("payer_failed", payment=charge.idempotency_key, exc_info=error)
            outcome, provider = Unknown(reason="payer_failed"), ""
        try:
            return self._journal.finish(charge, outcome, provider)
        except OSError as error:
            log.error("journal_failed", payment=charge.idempotency_key, exc_info=error)
            return outcome

    def _choose(self, charge: Charge) -> list[Provider]:
        """Those that the charge names, of those that there are; else the default."""
        if not charge.providers:
            return list(self._providers.values())[:1]
        return [self._providers[name] for name in charge.providers if name in self._providers]

    async def _charge_in_turn(
        self, charge: Charge, card: Keyed, able: Sequence[Provider]
    ) -> tuple[Outcome, str]:
        outcome: Outcome = Failed(reason="no_such_provider")
        for number, provider in enumerate(able):
            name, account = provider.account.name, provider.account
            if self._circuits.admit(name, time.time(), account.breaker_pause) is CircuitState.OPEN:
                outcome = Failed(reason=CIRCUIT_OPEN)
                continue
            if number:
                try:
                    self._journal.note_step(charge, name, "fallback", {})
                except OSError as error:
                    log.error("journal_failed", payment=charge.idempotency_key, exc_info=error)
                    return Failed(reason="journal_failed"), name
                log.warning("charge_falls_back", provider=name, payment=charge.idempotency_key)
            outcome = await self._charge_at(provider, charge, card)
            self._circuits.record(name, outcome, time.time(), account.breaker_failures)
            if not isinstance(outcome, Failed):
                return name_provider(outcome, name), name
        return outcome, able[-1].account.name

    async def _charge_at(self, provider: Provider, charge: Charge, card: Keyed) -> Outcome:
        flow = provider.flow
        provider.note[:] = [(self._journal, charge, card)]
        found = await provider.runner.settle(
            flow.charge(charge, card), lambda notes: flow.inquire(charge, notes)
        )
        outcome = discreet(found, card)
        if isinstance(outcome, Unknown) and outcome.reason in DIFFERENCES:
            log.error(
                "approval_of_something_else",
                reason=outcome.reason,
                payment=charge.idempotency_key,
                hint="look the charge up at the provider, and settle it there by hand",
            )
        return outcome


def discreet(outcome: Outcome, card: Keyed) -> Outcome:
    """The outcome without any text in which the provider, or what stands before it, quotes what was
    keyed."""

    def keep(text: str | None) -> str | None:
        return None if text is None or card.quoted_in(text) else text

    match outcome:
        case Approved() | PartiallyApproved():
            return msgspec.structs.replace(
                outcome,
                reference=keep(outcome.reference) or _WITHHELD if outcome.reference else "",
                token=keep(outcome.token),
                authorisation_code=keep(outcome.authorisation_code),
                **_keep_message(outcome, card),
            )
        case Declined():
            return Declined(
                reason=_WITHHELD if card.told_in(outcome.reason) else outcome.reason,
                message="" if card.told_in(outcome.message) else outcome.message,
                reference=keep(outcome.reference),
                code=_WITHHELD if card.told_in(outcome.code) else outcome.code,
            )
        case Failed() | Unknown():
            told = card.told_in(outcome.reason) and not outcome.reason.startswith("http_")
            outcome = msgspec.structs.replace(outcome, reason=_WITHHELD) if told else outcome
            if isinstance(outcome, Failed) and card.told_in(outcome.code):
                outcome = msgspec.structs.replace(outcome, code=_WITHHELD)
            return outcome
        case _ as never:
            assert_never(never)


def _keep_message(outcome: Approved | PartiallyApproved, card: Keyed) -> dict[str, msgspec.UnsetType]:
    """What replaces the message of an approval where that quotes what was keyed."""
    message = outcome.message if isinstance(outcome, Approved) else msgspec.UNSET
    return {"message": msgspec.UNSET} if message and card.told_in(message) else {}
