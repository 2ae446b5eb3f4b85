"""What the journal says of a capture, void or refund whose answer nobody got."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from provider_adapters.payer.journal import Journal
from provider_adapters.payment import (
    Accepted,
    Approved,
    Charge,
    Failed,
    FollowUp,
    FollowUpOutcome,
    Outcome,
    Unknown,
)
from provider_adapters.reconciler.later import LaterRequests
from provider_adapters.reconciler.messages import LaterInquiry

CHARGE = Charge(idempotency_key="p-1", transaction_id="t", amount=1000, currency="EUR")
REQUEST = FollowUp(key="f-1", kind="refund", charge=CHARGE, reference="ch_1", amount=250)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.open()
    return journal


@pytest.fixture
def later(journal: Journal) -> LaterRequests:
    return LaterRequests(journal, "north")


def begin(journal: Journal) -> Outcome | Accepted | None:
    return journal.begin_later("f-1", CHARGE, "north", "refund", reference="ch_1", amount=250)


def resolve(later: LaterRequests, handed_at: float | None) -> tuple[FollowUpOutcome | Outcome | None, str]:
    result = later.resolve(LaterInquiry(number=7, follow_up=REQUEST, handed_at=handed_at))
    assert result.number == 7
    return result.outcome, result.by


def test_what_was_never_noted_is_closed_and_not_sent_later(journal: Journal, later: LaterRequests) -> None:
    assert resolve(later, time.time()) == (Failed(reason="not_sent"), "")
    assert begin(journal) == Failed(reason="not_sent"), "it came late, and finds its key used"
    entry = journal.lookup("f-1")
    assert entry is not None
    assert (entry.kind, entry.of, entry.amount, entry.reference, entry.provider) == (
        "refund", "p-1", 250, "ch_1", "north",
    )  # fmt: skip


def test_one_that_was_answered_before_is_not_closed_where_the_journal_is_silent(
    journal: Journal, later: LaterRequests
) -> None:
    assert resolve(later, None) == (None, "")
    assert begin(journal) is None


def test_a_journal_that_is_younger_than_the_request_does_not_know(
    journal: Journal, later: LaterRequests
) -> None:
    assert resolve(later, time.time() - 60) == (Unknown(reason="journal_too_young"), "")
    assert journal.lookup("f-1") is None


def test_what_was_begun_and_never_finished_is_unknown_once_nobody_sends_it(
    journal: Journal, later: LaterRequests
) -> None:
    assert begin(journal) is None
    with later.sending("f-1"):
        assert resolve(later, time.time()) == (None, "")
    assert resolve(later, time.time()) == (Unknown(reason="outcome_not_recorded"), "")


@pytest.mark.parametrize("outcome", [Approved(reference="f"), Accepted(reference="f"), Failed(reason="no")])
def test_an_outcome_is_told_with_who_found_it(
    journal: Journal, later: LaterRequests, outcome: Outcome | Accepted
) -> None:
    begin(journal)
    journal.decide("f-1", outcome, "webhook")
    assert resolve(later, None) == (outcome, "webhook")


def test_a_line_that_was_followed_needs_no_search(journal: Journal, later: LaterRequests) -> None:
    begin(journal)
    journal.decide("f-1", Accepted(reference="f"), "")
    entry = journal.lookup("f-1")
    assert entry is not None
    later.observe(entry)
    journal._path.unlink()
    assert resolve(later, None) == (Accepted(reference="f"), "")
