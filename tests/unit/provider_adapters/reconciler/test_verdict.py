"""What follows from a notice, by what the journal has of its key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from provider_adapters.notice import Claim, Notice
from provider_adapters.payer.entry import Entry
from provider_adapters.payment import (
    Accepted,
    Approved,
    Declined,
    Failed,
    Link,
    Outcome,
    PartiallyApproved,
    Unknown,
)
from provider_adapters.reconciler.verdict import (
    Ask,
    Complete,
    Contradiction,
    Decide,
    Ignore,
    Verdict,
    Wait,
    judge,
)

START = 1_800_000_000.0
PATIENCE = 65.0
APPROVED = Approved(reference="psp")
DECLINED = Declined(reason="declined", reference="psp")
FAILED = Failed(reason="request_refused")
LOST = Unknown(reason="no_answer_in_time")


def entry(outcome: Outcome | Accepted | None = None, **more: Any) -> Entry:
    stamp = datetime.fromtimestamp(START, UTC).isoformat(timespec="milliseconds")
    state: Any = "sending" if outcome is None else "finished"
    values: dict[str, Any] = {"amount": 1999, "currency": "EUR", "transaction_id": "t"} | more
    return Entry(at=stamp, key="k-1", state=state, outcome=outcome, **values)


def notice(claim: Claim | None = APPROVED, **more: Any) -> Notice:
    values: dict[str, Any] = {"event": "e-1", "key": "k-1", "amount": 1999, "currency": "EUR"} | more
    return Notice(claim=claim, **values)


def verdict(found: Entry | None, given: Notice, later: float = 0.0, *, can_inquire: bool = False) -> Verdict:
    return judge(given, found, START + later, PATIENCE, can_inquire=can_inquire)


@pytest.mark.parametrize("claim", [APPROVED, DECLINED, None])
@pytest.mark.parametrize("can_inquire", [True, False])
def test_what_a_payer_is_still_at_is_left_to_it(claim: Claim | None, can_inquire: bool) -> None:
    found = verdict(entry(), notice(claim), PATIENCE - 0.1, can_inquire=can_inquire)
    assert found == Wait(START + PATIENCE)


@pytest.mark.parametrize("found", [entry(), entry(Unknown(reason="no_answer_in_time"))])
def test_where_nobody_can_be_asked_the_signed_claim_is_the_truth(found: Entry) -> None:
    assert verdict(found, notice(APPROVED), PATIENCE) == Decide(APPROVED)
    assert verdict(found, notice(DECLINED), PATIENCE) == Decide(DECLINED)
    assert verdict(found, notice(None), PATIENCE) == Ignore("nothing_to_ask")


@pytest.mark.parametrize("claim", [APPROVED, DECLINED, None])
def test_where_the_provider_can_be_asked_it_is(claim: Claim | None) -> None:
    found = entry(Unknown(reason="no_answer_in_time"))
    assert verdict(found, notice(claim), can_inquire=True) == Ask()
    assert verdict(entry(kind="saved"), notice(claim), PATIENCE, can_inquire=True) == Ask()


@pytest.mark.parametrize("kind", ["capture", "void", "refund"])
@pytest.mark.parametrize("can_inquire", [True, False])
def test_what_the_provider_accepted_becomes_final(kind: Any, can_inquire: bool) -> None:
    found = entry(Accepted(reference="psp"), kind=kind)
    for claim in (APPROVED, FAILED):
        given = notice(claim, about=kind)
        assert verdict(found, given, can_inquire=can_inquire) == Decide(claim)


@pytest.mark.parametrize("decided", [APPROVED, PartiallyApproved(amount=5, reference="r"), DECLINED, FAILED])
@pytest.mark.parametrize("claim", [APPROVED, DECLINED, FAILED, None])
def test_what_is_decided_is_never_changed(decided: Outcome, claim: Claim | None) -> None:
    moved = isinstance(decided, Approved | PartiallyApproved)
    differs = claim is not None and isinstance(claim, Approved) != moved
    found = verdict(entry(decided), notice(claim), 1e6, can_inquire=True)
    assert found == (Contradiction() if differs else Ignore("known"))


def test_an_approval_of_something_else_contradicts_one_of_what_was_asked_for() -> None:
    assert verdict(entry(APPROVED), notice(amount=2000)) == Contradiction()
    assert verdict(entry(APPROVED), notice(currency="USD")) == Contradiction()


def test_an_approval_counts_for_what_it_names() -> None:
    found = entry(Unknown(reason="no_answer_in_time"))
    assert verdict(found, notice(amount=2000)) == Decide(Unknown(reason="amount_differs"))
    assert verdict(found, notice(currency="USD")) == Decide(Unknown(reason="currency_differs"))
    assert verdict(found, notice(amount=1000)) == Decide(PartiallyApproved(amount=1000, reference="psp"))
    refund = entry(Accepted(reference="psp"), kind="refund")
    part = notice(about="refund", amount=1000)
    assert verdict(refund, part) == Decide(Unknown(reason="amount_differs"))
    void = entry(Accepted(reference="psp"), kind="void")
    assert verdict(void, notice(about="void", amount=0)) == Decide(APPROVED)


def test_what_is_not_ours_or_of_another_kind_changes_nothing() -> None:
    assert verdict(None, notice()) == Ignore("not_ours")
    assert verdict(entry(Unknown(reason="x")), notice(about="refund")) == Ignore("another_kind")
    refund = entry(Accepted(reference="psp"), kind="refund")
    assert verdict(refund, notice(about="charge")) == Ignore("another_kind")


def test_an_approval_by_a_provider_that_was_tried_before_is_a_persons_to_look_at() -> None:
    for found in (entry(APPROVED, provider="second"), entry(FAILED, provider="second")):
        assert verdict(found, notice(APPROVED, provider="first")) == Contradiction()
        assert verdict(found, notice(DECLINED, provider="first")) == Ignore("another_provider")
    assert verdict(entry(LOST, provider="first"), notice(APPROVED, provider="first")) == Decide(APPROVED)


@pytest.mark.parametrize("reason", ["amount_differs", "currency_differs", "not_decided"])
def test_what_a_person_settles_is_left_to_that_person(reason: str) -> None:
    assert verdict(entry(Unknown(reason=reason)), notice()) == Ignore("left_to_a_person")


# --- payment links --------------------------------------------------------------------------------

LINK = Link(url="https://pay.example.com/1", reference="PL1", expires_at=START + 3600)


def link_entry(outcome: Outcome | None = None) -> Entry:
    return entry(outcome, kind="link", link=LINK)


def test_an_open_link_is_asked_about_and_an_approval_is_looked_at_until_it_is_known() -> None:
    found = verdict(link_entry(), notice(APPROVED), can_inquire=True)
    assert isinstance(found, Ask)
    assert found.again_at is not None
    for claim in (DECLINED, FAILED, None):
        assert verdict(link_entry(), notice(claim), can_inquire=True) == Ask()


def test_what_was_paid_on_a_link_that_nobody_can_ask_about_is_taken_from_the_claim() -> None:
    assert verdict(link_entry(), notice(APPROVED)) == Decide(APPROVED)
    assert verdict(link_entry(), notice(amount=2000)) == Decide(Unknown(reason="amount_differs"))
    assert verdict(link_entry(), notice(DECLINED)) == Ignore("known"), "a try is no end"


def test_of_a_link_that_has_ended_only_another_payment_counts() -> None:
    for ended in (APPROVED, FAILED, Unknown(reason="not_decided")):
        for claim in (DECLINED, FAILED, None):
            assert verdict(link_entry(ended), notice(claim), can_inquire=True) == Ignore("known")
    assert verdict(link_entry(FAILED), notice(APPROVED)) == Contradiction()
    assert verdict(link_entry(APPROVED), notice(APPROVED)) == Ignore("known")
    assert verdict(link_entry(Approved(reference="withheld")), notice(APPROVED)) == Ignore("known")
    assert verdict(link_entry(Approved(reference="other")), notice(APPROVED)) == Contradiction()
    assert verdict(link_entry(Unknown(reason="amount_differs")), notice()) == Ignore("left_to_a_person")


def test_an_approval_without_a_reference_takes_it_from_the_claim() -> None:
    ended = link_entry(Approved(reference=""))
    assert verdict(ended, notice(APPROVED)) == Complete(APPROVED)
    assert verdict(ended, notice(Approved(reference=""))) == Ignore("known")
    assert verdict(ended, notice(amount=2000)) == Contradiction()
