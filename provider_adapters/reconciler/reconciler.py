"""Asks what became of charges, and carries out what needs no card: the agenda at work.

Rule 1: what it found is in the journal before anybody hears of it.
Rule 2: whatever is sent by it and may move money is in the journal before a byte of it leaves.
Rule 3: nothing of an answer is kept that looks like a card number, or is meant to be read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from provider_adapters import registry
from provider_adapters.account import Account, patience
from provider_adapters.base import Flow, NotFound, Request
from provider_adapters.errors import ProviderError
from provider_adapters.notice import Notice
from provider_adapters.payer.circuits import Circuits
from provider_adapters.payer.entry import Entry
from provider_adapters.payer.journal import Journal
from provider_adapters.payer.runner import Runner, is_decided
from provider_adapters.payment import (
    APPROVALS,
    NOT_DECIDED,
    Accepted,
    Charge,
    Failed,
    FollowUp,
    FollowUpOutcome,
    Link,
    Operation,
    Outcome,
    T,
    Unknown,
    name_provider,
    outcome_type,
)
from provider_adapters.reconciler.agenda import Agenda, Item
from provider_adapters.reconciler.contradictions import Contradictions
from provider_adapters.reconciler.later import LaterRequests
from provider_adapters.reconciler.links import Links
from provider_adapters.reconciler.messages import (
    Finding,
    Findings,
    Hello,
    Inquiry,
    LaterRequest,
    LinkClosing,
)
from provider_adapters.reconciler.notices import NoticeFile, Notices, can_inquire
from provider_adapters.reconciler.reader import JournalReader
from provider_adapters.reconciler.refusals import WebhookRefusals
from provider_adapters.reconciler.repetition import Repetition
from provider_adapters.reconciler.settlements import Settlements
from provider_adapters.reconciler.verdict import is_approval, is_charge
from provider_adapters.reconciler.withholding import WITHHELD, withhold_card_numbers, withhold_from_notes
from tonewall.log import get_logger, log_ids
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
_LOOK_EVERY = 0.5  # seconds between two looks at the journal
_AT_ONCE = 4  # inquiries under way
_DAY = 86_400.0
_NOT_OFFERED = Failed(reason="request_refused", code="not_supported")
LIMIT = 3 * _DAY  # seconds for which a charge is asked about


class Reconciler:
    """The agenda, and what carries it out. `accounts`: the first is the default."""

    def __init__(self, accounts: Sequence[Account], limit: float = LIMIT) -> None:
        self._accounts = {account.name: account for account in accounts}
        self._flows: dict[str, Flow[Any]] = {account.name: registry.load(account) for account in accounts}
        self._default = accounts[0].name
        path = Path(accounts[0].journal)
        self._journal = Journal(path)
        self._circuits = Circuits(Path(f"{path}.circuits"))
        self._agenda = Agenda(patience(accounts), limit)
        self._reader = JournalReader(path, time.time() - limit - _DAY)
        self._tasks = BackgroundTasks()
        self.refusals = WebhookRefusals(self._accounts)
        self.later = LaterRequests(self._journal, self._default)
        self.repetition = Repetition(self._accounts, self._flows, self.later)
        self.settlements = Settlements(
            self._journal, self.later.is_sending, patience(accounts), self._default
        )
        link_flows = {each.name: registry.load_links(each) for each in accounts}
        self.links = Links(
            self._journal, self._accounts, {k: v for k, v in link_flows.items() if v is not None}, limit
        )
        self._contradictions = Contradictions(self._inquire)
        self.notices = Notices(
            NoticeFile(path.with_name(path.name + ".notices")), self._journal, patience(accounts),
            can_inquire=lambda entry: can_inquire(self._flow_of(entry), entry),
            ask=lambda key: self._ask_now((key,)),
            examine=self._contradictions.examine,
        )  # fmt: skip

    def _name_provider(self, outcome: T, name: str) -> T:
        """Who took the money: a refund goes there."""
        return name_provider(outcome, name or self._default)

    def _flow_of(self, entry: Entry) -> Flow[Any]:
        return self._flows.get(entry.provider) or self._flows[self._default]

    def hello(self) -> Hello:
        """What it can do."""
        return Hello(operations={name: tuple(sorted(flow.OPERATIONS)) for name, flow in self._flows.items()})

    async def run(self) -> None:
        """Follow the journal and ask, until cancelled. Raises OSError where the notices of an
        earlier process cannot be read."""
        self.notices.open(time.time())
        while True:
            self._follow()
            self.notices.apply(time.time())
            for item in self._agenda.due(time.time(), _AT_ONCE - len(self._tasks)):
                self._tasks.start(self._ask(item), "inquiry")
            for link in self.links.due(time.time(), _AT_ONCE - len(self._tasks)):
                self._tasks.start(self.links.ask(link), "link")
            await asyncio.sleep(_LOOK_EVERY)

    async def close(self) -> None:
        """Stop asking."""
        await self._tasks.cancel()
        await self._contradictions.close()
        self._reader.close()

    def _follow(self) -> None:
        rotations = self._reader.rotations
        try:
            for entry in self._reader.read():
                self._agenda.observe(entry)
                self.links.observe(entry)
                self.notices.observe(entry)
                self.later.observe(entry)
            if self._reader.rotations > rotations:
                self.links.keep()
        except OSError as error:
            log.error("journal_failed", setting="[provider] journal", exc_info=error)

    def _ask_now(self, keys: tuple[str, ...]) -> None:
        self._agenda.ask_now(keys, time.time())
        self.links.ask_now(keys, time.time())

    def notice(self, notices: tuple[Notice, ...]) -> bool:
        """Keep what a webhook says, and act on it; whether it is on disk."""
        self._follow()
        try:
            self.notices.take(notices, time.time())
        except OSError as error:
            log.error("notices_not_written", setting="[provider] journal", exc_info=error)
            return False
        return True

    def inquire(self, inquiry: Inquiry) -> Findings:
        """What is known now of the keys; the provider is asked at once where that is wanted."""
        if inquiry.now:
            self._ask_now(inquiry.keys)
        waiting = self._agenda.next_times(inquiry.keys) | self.links.next_times(inquiry.keys)
        found = {}
        for key in inquiry.keys:
            entry = None if key in waiting else self._journal.lookup(key)
            link = self.links.find(key) if entry is None or entry.outcome is None else entry.link
            link = link if link is not None and link.url else None
            if entry is not None and entry.outcome is not None and not isinstance(entry.outcome, Accepted):
                outcome = self._name_provider(entry.outcome, entry.provider)
                found[key] = Finding(outcome=outcome, by=entry.by, who=entry.who, link=link)
            else:
                found[key] = Finding(next_at=waiting.get(key), link=link)
        pauses = {name: account.breaker_pause for name, account in self._accounts.items()}
        return Findings(
            found=found,
            unknown=len(self._agenda),
            oldest=self._agenda.oldest(),
            noticed=self.notices.taken,
            contradicted=self._contradictions.count,
            refused=self.refusals.counts,
            circuits={name: str(state) for name, state in self._circuits.states(time.time(), pauses).items()},
        )

    async def close_link(self, closing: LinkClosing) -> Outcome:
        """Close a payment link; what was paid before."""
        try:
            return await self.links.close(closing.key)
        except OSError as error:
            log.error("journal_failed", setting="[provider] journal", exc_info=error)
            return Unknown(reason="journal_failed")

    async def carry_out(self, request: LaterRequest) -> FollowUpOutcome | Outcome | Link:
        """Send one request that needs no card, once, and note what became of it."""
        later, charge = request.follow_up, request.charge
        try:
            name = self.later.provider_of(request)
            if (refusal := self._refusal(request, name)) is not None:
                return refusal
            if request.link is not None:
                return await self.links.open(request.link, name)
            if later is not None:
                later = self._with_reference(later)
                if later is None:
                    return Failed(reason="reference_not_known")
                request = msgspec.structs.replace(request, follow_up=later)
            if later is not None:
                known = self._journal.begin_later(
                    later.key, later.charge, name, later.kind,
                    reference=later.reference, amount=later.amount,
                )  # fmt: skip
                key, about = later.key, later.charge
            else:
                assert charge is not None
                known = self._journal.begin_later(charge.idempotency_key, charge, name, "saved")
                key, about = charge.idempotency_key, charge
        except OSError as error:
            log.error("journal_failed", setting="[provider] journal", exc_info=error)
            # A link may be open under its key from an earlier request.
            kind = Failed if request.link is None else Unknown
            return kind(reason="journal_failed")
        if known is not None:
            return known
        with self.later.sending(key), log_ids(payment=key):
            found = withhold_card_numbers(await self._send(request, name, key, about))
        outcome = self._name_provider(found, name)
        try:
            self._journal.decide(key, outcome, "")
        except OSError as error:
            log.error("journal_failed", setting="[provider] journal", exc_info=error)
        log.info("carried_out", kind=later.kind if later else "saved", outcome=_name(outcome), payment=key)
        return outcome

    def _refusal(self, request: LaterRequest, name: str) -> Failed | None:
        """Why nothing is sent, and no key is used up; None where it can be. Raises OSError."""
        if name not in self._flows:
            return Failed(reason="no_such_provider")
        later, link = request.follow_up, request.link
        charge = link.charge if link is not None else request.charge
        if later is None and charge is None:
            return Failed(reason="request_refused")
        needed = Operation.CHARGE_SAVED if link is None else Operation.LINK
        if (needed if later is None else later.operation) in self._flows[name].OPERATIONS:
            return None
        # Of a key that was sent once, under other settings perhaps, the journal knows better.
        key = later.key if later is not None else charge.idempotency_key if charge is not None else ""
        return _NOT_OFFERED if self._journal.lookup(key) is None else None

    def _with_reference(self, later: FollowUp) -> FollowUp | None:
        """The request with the reference that came after the approval, where b2bua has none; None
        where nobody knows it. Raises OSError."""
        if later.reference not in ("", WITHHELD):
            return later
        entry = self._journal.lookup(later.charge.idempotency_key)
        outcome = entry.outcome if entry is not None else None
        reference = outcome.reference if isinstance(outcome, APPROVALS) else ""
        return None if reference in ("", WITHHELD) else msgspec.structs.replace(later, reference=reference)

    async def _send(
        self, request: LaterRequest, name: str, key: str, about: Charge
    ) -> FollowUpOutcome | Outcome:
        def note(sent: Request) -> None:
            self._journal.note_later_step(key, sent.step, withhold_from_notes(sent.notes))

        flow, runner = self._flows[name], Runner(self._accounts[name], note)
        try:
            if request.follow_up is not None:
                return await runner.settle(flow.follow_up(request.follow_up), lambda _: _no_inquiry())
            charging = flow.charge_saved(about, request.token)
            return await runner.settle(charging, lambda notes: flow.inquire(about, notes))
        finally:
            await runner.close()

    async def _ask(self, item: Item) -> None:
        key = item.entry.key
        outcome: FollowUpOutcome | Outcome | None
        if is_charge(item.entry):
            outcome = await self._inquire(item)
        else:
            outcome = await self.repetition.repeat(item, item.entry.provider or self._default)
        now = time.time()
        if outcome is None and self._agenda.is_late(item, now):
            outcome = Unknown(reason=NOT_DECIDED)
            log.error(
                "charge_not_decided", payment=key,
                hint="look the charge up at the provider, and settle it there by hand",
            )  # fmt: skip
        if outcome is None:
            self._agenda.asked(key, now)
            return
        try:
            named = self._name_provider(outcome, item.entry.provider)
            if not self._journal.decide(key, named, "reconciler"):
                self._compare(outcome, self._journal.lookup(key))
                return
        except OSError as error:
            log.error("journal_failed", setting="[provider] journal", exc_info=error)
            self._agenda.asked(key, now)
            return
        log.info("reconciled", outcome=_name(outcome), payment=key)

    def _compare(self, found: FollowUpOutcome | Outcome, stands: Entry | None) -> None:
        """Somebody was faster than an inquiry: report where the two differ."""
        if stands is None or not stands.is_decided or isinstance(found, Unknown | Accepted):
            return
        assert stands.outcome is not None
        if is_approval(found) != is_approval(stands.outcome):
            names = _name(stands.outcome), _name(found)
            self._contradictions.report(stands.key, *names, stands.kind, stands.provider)

    async def _inquire(self, item: Item) -> Outcome | None:
        """What became of it, where the provider says so now."""
        if item.entry.kind not in ("charge", "saved"):
            return None
        name = item.entry.provider or self._default
        if name not in self._flows:
            log.warning("inquiry_failed", reason="no_such_provider", payment=item.entry.key)
            return None
        flow, account = self._flows[name], self._accounts[name]
        runner = Runner(account)
        try:
            async with asyncio.timeout(account.timeout):
                found = await runner.drive(flow.inquire(item.entry.charge, item.entry.notes))
        except (ProviderError, TimeoutError) as error:
            reason = error.reason if isinstance(error, ProviderError) else "timeout"
            log.warning("inquiry_failed", reason=reason, payment=item.entry.key)
            return None
        except Exception as error:
            log.error("adapter_failed", payment=item.entry.key, exc_info=error)
            return None
        finally:
            await runner.close()
        absent_after = flow.ABSENT_AFTER
        if isinstance(found, NotFound):
            is_certain = absent_after is not None and time.time() - item.sent_at > absent_after
            return Failed(reason="no_such_charge") if is_certain else None
        return withhold_card_numbers(found) if is_decided(found) else None


def _no_inquiry() -> Any:
    return None
    yield


def _name(outcome: FollowUpOutcome | Outcome) -> str:
    return "accepted" if isinstance(outcome, Accepted) else outcome_type(outcome)
