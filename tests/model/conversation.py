"""One call of the model: its phones, its payments, and when the specification lets its mask be
open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.model.cards import Card
from tests.model.phones import Agent, Customer
from tests.model.world import GUARD, RELEASE

# Of a time that Tonewall measures by its own clock, as much as is certainly not over by ours.
SURE = 0.6


@dataclass(slots=True)
class Payment:
    """An order that was taken (201). Times of the monotonic clock."""

    transaction: str
    capture: str
    agent: str
    repeats: bool = False
    collecting_at: float | None = None
    submitted_at: float | None = None
    released_at: float | None = None
    lost: bool = False  # its call is, and it with it
    # What was keyed, where it was keyed from the first key on and no other.
    card: Card | None = None


@dataclass(slots=True)
class Conversation:
    """Customer, the agents that he ever spoke to, and what Tonewall calls it."""

    customer: Customer
    callee: str
    agents: list[Agent] = field(default_factory=list)
    call_id: str = ""
    payments: list[Payment] = field(default_factory=list)
    release_time: float = RELEASE
    invited_at: float = 0.0  # when an agent's telephone was asked last, by the monotonic clock
    lost: bool = False  # it may have gone with a b2bua (tests/model/killing.py)

    @property
    def agent(self) -> Agent | None:
        """The newest that has answered and is there."""
        return next((agent for agent in reversed(self.agents) if agent.up), None)

    @property
    def up(self) -> bool:
        return self.customer.up and self.agent is not None

    @property
    def over(self) -> bool:
        return self.customer.ended and all(agent.ended for agent in self.agents)

    def must_be_masked(self, at: float) -> bool:
        """Whether no key that begins at this moment may reach the agent's side.

        A mask opens only (a) when agent or API say that keying is over, (b) after an approval,
        either without a key for the guard time, or (c) after the release time without a key. A key
        under the guard takes (a) back.
        """
        began = [
            payment
            for payment in self.payments
            if payment.collecting_at is not None and payment.collecting_at <= at
        ]
        if not began:
            return False
        payment = began[-1]
        assert payment.collecting_at is not None
        quiet_since = payment.collecting_at
        for press in self.customer.presses:
            if payment.collecting_at < press.began < at:
                if self._may_be_open(payment, quiet_since, press.began):
                    return False  # and what is open stays so until the next capture
                quiet_since = press.ended or at
        return not self._may_be_open(payment, quiet_since, at)

    def _may_be_open(self, payment: Payment, quiet_since: float, at: float) -> bool:
        """Whether the mask of a payment may be off, where it was on when the last key before
        ended."""
        opens = [quiet_since + SURE * self.release_time]
        released, submitted = payment.released_at, payment.submitted_at
        if released is not None and released <= at and not self._keyed_on(released, at):
            opens.append(max(quiet_since, released) + SURE * GUARD)
        could_be_approved = payment.card is None or payment.card.approvable
        if submitted is not None and submitted <= at and could_be_approved:
            opens.append(max(quiet_since, submitted) + SURE * GUARD)
        return min(opens) <= at

    def _keyed_on(self, released: float, at: float) -> bool:
        """Whether a key took a release back: it came before the mask was off."""
        soon = released + SURE * GUARD
        return any(released < press.began < min(soon, at) for press in self.customer.presses)

    def taken(self, transaction: str, agent: str, view: dict[str, Any], *, repeats: bool = False) -> Payment:
        payment = Payment(transaction, view["capture"]["id"], agent, repeats)
        self.payments.append(payment)
        return payment

    def released(self, at: float) -> None:
        for payment in self.payments[-1:]:
            payment.released_at = at
