"""A person's word in the journal: it ends the asking, and gives way to what is decided."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from provider_adapters.payer.entry import Entry
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import (
    NOT_DECIDED,
    Accepted,
    Approved,
    Charge,
    Declined,
    Failed,
    FollowUp,
    Outcome,
    Unknown,
)
from provider_adapters.reconciler.agenda import Agenda
from provider_adapters.reconciler.messages import Settle, Settled
from provider_adapters.reconciler.settlements import Settlements
from provider_adapters.reconciler.withholding import WITHHELD
from tests.canary import CANARY

CHARGE = Charge(idempotency_key="p-1", transaction_id="t", amount=1000, currency="EUR")
REFUND = FollowUp(key="f-1", kind="refund", charge=CHARGE, reference="ch_1", amount=250)
APPROVED = Approved(reference="ch_1")
WORD = Settle(number=7, charge=CHARGE, outcome=APPROVED, who="ann")
LOST = Unknown(reason="no_answer_in_time")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.open()
    return journal


def settle(journal: Journal, word: Settle = WORD, sending: str = "", patience: float = 0.0) -> Settled:
    return Settlements(journal, lambda key: key == sending, patience, "north").settle(word)


def newest(journal: Journal, key: str = "p-1") -> Entry:
    entry = journal.lookup(key)
    assert entry is not None
    return entry


@pytest.mark.parametrize("reason", ["no_answer_in_time", NOT_DECIDED, "amount_differs"])
def test_what_is_unknown_is_decided_also_where_nobody_asks_any_more(journal: Journal, reason: str) -> None:
    journal.begin(CHARGE, "south")
    journal.finish(CHARGE, Unknown(reason=reason), "south")
    found = settle(journal)
    assert (found.is_new, found.by, found.who) == (True, "person", "ann")
    assert found.outcome == Approved(reference="ch_1", provider="south"), "where the journal saw it"
    entry = newest(journal)
    assert (entry.by, entry.who, entry.outcome, entry.provider) == ("person", "ann", APPROVED, "south")


def test_it_ends_the_asking(journal: Journal) -> None:
    agenda = Agenda(0.0, 1000.0)
    journal.begin(CHARGE)
    journal.finish(CHARGE, LOST)
    agenda.observe(newest(journal))
    assert len(agenda) == 1
    settle(journal)
    agenda.observe(newest(journal))
    assert len(agenda) == 0
    assert not journal.decide("p-1", Declined(reason="declined"), "reconciler"), "it came too late"


@pytest.mark.parametrize("stands", [Approved(reference="other"), Declined(reason="declined")])
def test_what_is_decided_stays_and_is_answered(journal: Journal, stands: Outcome) -> None:
    journal.begin(CHARGE, "north")
    journal.finish(CHARGE, LOST, "north")
    journal.decide("p-1", stands, "webhook")
    found = settle(journal)
    assert (found.is_new, found.by, found.who, type(found.outcome)) == (False, "webhook", "", type(stands))
    assert newest(journal).outcome == stands


def test_the_same_word_once_more_changes_nothing(journal: Journal) -> None:
    settle(journal)
    line = newest(journal)
    again = settle(journal)
    assert (again.is_new, again.by, again.who) == (False, "person", "ann")
    assert newest(journal) == line


def test_what_is_under_way_is_its_senders(journal: Journal) -> None:
    journal.begin(CHARGE)
    assert settle(journal, patience=60.0) == Settled(number=7)
    assert newest(journal).state == "sending"
    assert settle(journal, patience=0.0).is_new, "its sender is given up"
    journal.begin_later("f-1", CHARGE, "north", "refund", reference="ch_1", amount=250)
    word = msgspec.structs.replace(WORD, follow_up=REFUND)
    assert settle(journal, word, sending="f-1") == Settled(number=7)


def test_a_payer_that_comes_late_with_an_approval_is_heard(journal: Journal) -> None:
    journal.begin(CHARGE)
    settle(journal, msgspec.structs.replace(WORD, outcome=Failed(reason="settled_by_person")))
    assert journal.finish(CHARGE, APPROVED) == APPROVED


@pytest.mark.parametrize("before", [None, LOST, Accepted(reference="rf")])
def test_a_request_of_later_is_settled_by_its_own_key(
    journal: Journal, before: Unknown | Accepted | None
) -> None:
    if before is not None:
        journal.begin_later("f-1", CHARGE, "south", "refund", reference="ch_1", amount=250)
        journal.decide("f-1", before, "")
    word = msgspec.structs.replace(
        WORD, follow_up=REFUND, provider="south", outcome=Failed(reason="settled_by_person")
    )
    assert settle(journal, word).is_new
    entry = newest(journal, "f-1")
    assert (entry.kind, entry.of, entry.amount, entry.provider) == ("refund", "p-1", 250, "south")
    assert (entry.by, entry.outcome) == ("person", Failed(reason="settled_by_person"))
    assert journal.lookup("p-1") is None


def test_what_the_journal_does_not_have_any_more_is_a_whole_line(journal: Journal) -> None:
    settle(journal, msgspec.structs.replace(WORD, provider="north"))
    entry = newest(journal)
    assert (entry.transaction_id, entry.amount, entry.currency, entry.provider) == ("t", 1000, "EUR", "north")
    assert journal.begin(CHARGE) == APPROVED, "nothing is sent under its key later"


def test_nothing_that_looks_like_a_card_number_is_kept(journal: Journal) -> None:
    settle(journal, msgspec.structs.replace(WORD, outcome=Approved(reference=CANARY.number)))
    assert newest(journal).outcome == Approved(reference=WITHHELD)


def test_where_the_journal_fails_nothing_is_said(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "none" / "journal.jsonl")
    assert settle(journal) == Settled(number=7)
