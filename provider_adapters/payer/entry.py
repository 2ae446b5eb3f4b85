"""Defines a line of the journal: a charge, what is done later about one, or a payment link.

Rule: no card data.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from provider_adapters.payment import (
    FINAL_REASONS,
    Accepted,
    Charge,
    ChargeOperation,
    Link,
    Outcome,
    Unknown,
)

Decider = Literal["", "reconciler", "webhook", "person"]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `outcome` is set where the state is finished; of `opened`, the first line of a new
    journal, the time counts. `step` names one request of several, `notes` what an inquiry must know
    of it, `provider` to whom it goes. `kind`: what it is where no card is keyed for it; of what is
    done later `of` is the key of its charge and `reference` the provider's. `by`: who found an
    outcome that is not the sender's; `who`: which person."""

    at: str
    key: str = ""
    state: Literal["opened", "sending", "finished"]
    transaction_id: str = ""
    amount: int = 0
    currency: str = ""
    outcome: Outcome | Accepted | None = None
    kind: Literal["charge", "saved", "link", "capture", "void", "refund"] = "charge"
    link: Link | None = None
    of: str = ""
    reference: str = ""
    operation: ChargeOperation = "charge"
    merchant_account: str = ""
    provider: str = ""
    step: str = ""
    notes: dict[str, str] = {}
    by: Decider = ""
    who: str = ""

    @property
    def is_open(self) -> bool:
        """Whether nobody knows what became of it."""
        return self.state == "sending" or (
            isinstance(self.outcome, Unknown) and self.outcome.reason not in FINAL_REASONS
        )

    @property
    def is_decided(self) -> bool:
        """Whether somebody knows what became of it."""
        return self.outcome is not None and not isinstance(self.outcome, Unknown | Accepted)

    def after(self, before: Entry) -> Entry:
        """With what the lines before it say and this one does not: to whom it went, its link and
        its notes."""
        provider = self.provider or before.provider
        notes = before.notes if provider == before.provider else {}
        return msgspec.structs.replace(
            self, provider=provider, notes={**notes, **self.notes}, link=self.link or before.link
        )

    @property
    def charge(self) -> Charge:
        """The charge, as far as it stands here: enough to ask about it."""
        return Charge(
            idempotency_key=self.key,
            transaction_id=self.transaction_id,
            amount=self.amount,
            currency=self.currency,
            operation=self.operation,
            merchant_account=self.merchant_account,
        )


def make_entry(
    at: str,
    charge: Charge,
    state: Literal["sending", "finished"],
    outcome: Outcome | None = None,
    *,
    provider: str = "",
    step: str = "",
    notes: dict[str, str] | None = None,
) -> Entry:
    """The line of a charge. `at`: the time, as ISO 8601 has it."""
    return Entry(
        at=at,
        key=charge.idempotency_key,
        state=state,
        transaction_id=charge.transaction_id,
        amount=charge.amount,
        currency=charge.currency,
        outcome=outcome,
        operation=charge.operation,
        merchant_account=charge.merchant_account,
        provider=provider,
        step=step,
        notes=notes or {},
    )
