"""Judges a notice against what the journal has of its key.

Rule 1: what a sender is still at is its own: a notice waits until the sender has ended, or its
        patience is over.
Rule 2: a provider that can be asked is asked; a claim is the truth only where there is nobody to
        ask.
Rule 3: what is decided stays as it is. A claim that contradicts it is a person's to settle.
Rule 4: of a payment link only an approval counts: a customer who is declined may try again.

No I/O; times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from provider_adapters.approval import approve
from provider_adapters.notice import Notice
from provider_adapters.payer.entry import Entry
from provider_adapters.payment import (
    APPROVALS,
    Accepted,
    Approved,
    FollowUpOutcome,
    Outcome,
    PartiallyApproved,
    Unknown,
)
from provider_adapters.reconciler.withholding import WITHHELD


@dataclass(frozen=True, slots=True)
class Ignore:
    """Nothing follows from it. `why`: `not_ours`, `another_kind`, `another_provider`,
    `known`, `nothing_to_ask`, or `left_to_a_person`."""

    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """The sender is still at it: judge again at its next line, or at `until`."""

    until: float


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the provider now. `again_at`: judge again at the next line, or then; None: the notice is
    done with."""

    again_at: float | None = None


@dataclass(frozen=True, slots=True)
class Complete:
    """Note the reference of the claim, which the approval has not got."""

    claim: Approved


@dataclass(frozen=True, slots=True)
class Decide:
    """Note this outcome."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Contradiction:
    """The claim differs from what is decided."""


Verdict = Ignore | Wait | Ask | Complete | Decide | Contradiction
_AGAIN = 60.0  # seconds until a claim that was not confirmed is looked at again


def judge(notice: Notice, entry: Entry | None, now: float, patience: float, *, can_inquire: bool) -> Verdict:
    """What follows from a notice. `entry`: the newest of its key; `patience`: seconds that a sender
    may take; `can_inquire`: whether the provider can be asked about that entry."""
    if entry is None:
        return Ignore("not_ours")
    if notice.about != ("charge" if is_charge(entry) else entry.kind):
        return Ignore("another_kind")
    if not is_of_provider(notice, entry):
        # One that was tried before another: where it took the money after all, it was taken twice.
        return Contradiction() if isinstance(notice.claim, Approved) else Ignore("another_provider")
    if entry.kind == "link":
        return _judge_link(notice, entry, now, can_inquire=can_inquire)
    if entry.is_decided:
        return Ignore("known") if _agrees(notice, entry) else Contradiction()
    if entry.state == "sending":
        until = datetime.fromisoformat(entry.at).timestamp() + patience
        if now < until:
            return Wait(until)
    elif not entry.is_open and not isinstance(entry.outcome, Accepted):
        return Ignore("left_to_a_person")
    if can_inquire and is_charge(entry):
        return Ask()
    if notice.claim is None:
        return Ignore("nothing_to_ask")
    return Decide(_outcome(notice, entry))


def _judge_link(notice: Notice, entry: Entry, now: float, *, can_inquire: bool) -> Verdict:
    claim, outcome = notice.claim, entry.outcome
    if not isinstance(claim, Approved):
        return Ask() if entry.is_open and can_inquire else Ignore("known")
    if entry.is_open:
        return Ask(now + _AGAIN) if can_inquire else Decide(_outcome(notice, entry))
    if not isinstance(outcome, APPROVALS):
        return Ignore("left_to_a_person") if isinstance(outcome, Unknown) else Contradiction()
    if not claim.reference or outcome.reference in (claim.reference, WITHHELD):
        return Ignore("known")
    if outcome.reference:
        return Contradiction()  # the link was paid twice
    return Complete(claim) if is_approval(_outcome(notice, entry)) else Contradiction()


def is_of_provider(notice: Notice, entry: Entry) -> bool:
    """Whether the notice is signed by the provider that the entry went to last."""
    return not notice.provider or not entry.provider or notice.provider == entry.provider


def is_charge(entry: Entry) -> bool:
    """Whether the entry is of a charge or a link, and not of what was done later about one."""
    return entry.kind in ("charge", "saved", "link")


def is_approval(outcome: FollowUpOutcome | Outcome) -> bool:
    """Whether money moved by it."""
    return isinstance(outcome, APPROVALS)


def _agrees(notice: Notice, entry: Entry) -> bool:
    assert entry.outcome is not None
    if notice.claim is None:
        return True
    claimed = _outcome(notice, entry)
    return not isinstance(claimed, Unknown) and is_approval(claimed) == is_approval(entry.outcome)


def _outcome(notice: Notice, entry: Entry) -> Outcome:
    claim = notice.claim
    assert claim is not None
    # Of a cancellation the amount says nothing: it is of the whole.
    if not isinstance(claim, Approved) or notice.amount is None or notice.about == "void":
        return claim
    found = approve(
        entry.charge,
        reference=claim.reference,
        amount=notice.amount,
        currency=notice.currency or None,
        authorisation_code=claim.authorisation_code,
    )
    if isinstance(found, PartiallyApproved) and not is_charge(entry):
        return Unknown(reason="amount_differs")
    return found
