"""Notices are kept, applied once, and wait for their charge: over restarts, races, full disks."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from provider_adapters import registry
from provider_adapters.account import Account
from provider_adapters.notice import Notice
from provider_adapters.payer.entry import Entry
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import (
    Accepted,
    Approved,
    Charge,
    Declined,
    Failed,
    FollowUpOutcome,
    Outcome,
    Unknown,
)
from provider_adapters.reconciler import notices as noticing
from provider_adapters.reconciler.notices import NoticeFile, Notices, can_inquire
from provider_adapters.reconciler.reader import JournalReader

PATIENCE = 65.0
LOST = Unknown(reason="no_answer_in_time")
APPROVED = Approved(reference="psp-1")
TAKEN = Approved(reference="psp-1", provider="adyen")  # the same, as it stands: with who took it
DECLINED = Declined(reason="declined", reference="psp-1")


def charge(key: str = "k-1") -> Charge:
    return Charge(idempotency_key=key, transaction_id="t-1", amount=1999, currency="EUR")


def notice(event: str = "e-1", **more: Any) -> Notice:
    values: dict[str, Any] = {"key": "k-1", "reference": "psp-1", "claim": APPROVED} | more
    return Notice(event=event, amount=1999, currency="EUR", **values)


def as_it_stands(claim: Any) -> Any:
    """An approval that was noted has the name of who took the money."""
    return TAKEN if claim == APPROVED else claim


class Desk:
    """A journal with notices beside it. `restart` begins anew from what is on disk."""

    def __init__(self, directory: Path, *, asks: bool = False) -> None:
        self.path, self.asks = directory / "journal.jsonl", asks
        self.journal = Journal(self.path)
        self.journal.open()
        self.asked: list[str] = []
        self.contradicted: list[tuple[str, str]] = []
        self.restart()

    def restart(self) -> None:
        self.reader = JournalReader(self.path, 0)
        self.notices = Notices(
            NoticeFile(self.path.with_name("notices")), self.journal, PATIENCE,
            can_inquire=lambda _: self.asks, ask=self.asked.append,
            examine=lambda given, found: self.contradicted.append((given.event, found.key)),
        )  # fmt: skip
        self.notices.open(time.time())

    def follow(self, later: float = 0.0) -> None:
        for entry in self.reader.read():
            self.notices.observe(entry)
        self.notices.apply(time.time() + later)

    def take(self, *given: Notice) -> None:
        self.follow()
        self.notices.take(given, time.time())

    def outcome(self, key: str = "k-1") -> FollowUpOutcome | Outcome | None:
        found = self.journal.lookup(key)
        return found.outcome if found else None

    def lines(self) -> int:
        return len(self.path.read_bytes().splitlines())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def lost(desk: Desk, key: str = "k-1") -> None:
    desk.journal.begin(charge(key), "adyen")
    desk.journal.finish(charge(key), LOST)


def test_an_unknown_charge_is_decided_by_the_signed_claim(desk: Desk) -> None:
    lost(desk)
    desk.take(notice())
    found = desk.journal.lookup("k-1")
    assert found is not None
    assert (found.outcome, found.by) == (TAKEN, "webhook")


def test_an_event_that_comes_again_changes_nothing(desk: Desk) -> None:
    lost(desk)
    for _ in range(3):
        desk.take(notice(), notice())
        desk.restart()
    lines = desk.lines()
    desk.take(notice(), notice(claim=DECLINED))  # the same event: its content counts as it came first
    assert (desk.outcome(), desk.lines(), desk.contradicted) == (TAKEN, lines, [])


def test_a_claim_that_comes_before_the_answer_waits_for_the_payer(desk: Desk) -> None:
    desk.journal.begin(charge(), "adyen")
    desk.take(notice())
    desk.follow()
    assert desk.outcome() is None
    desk.journal.finish(charge(), LOST)
    desk.follow()
    assert desk.outcome() == TAKEN


def test_a_claim_waits_over_a_restart(desk: Desk) -> None:
    desk.journal.begin(charge(), "adyen")
    desk.take(notice())
    desk.restart()
    desk.follow()
    assert desk.outcome() is None
    desk.journal.finish(charge(), LOST)
    desk.restart()
    desk.follow()
    assert desk.outcome() == TAKEN


def test_of_a_payer_that_died_the_claim_counts_once_its_patience_is_over(desk: Desk) -> None:
    desk.journal.begin(charge(), "adyen")
    desk.take(notice())
    desk.follow(PATIENCE - 5)
    assert desk.outcome() is None
    desk.follow(PATIENCE + 1)
    assert desk.outcome() == TAKEN


@pytest.mark.parametrize("claim", [APPROVED, DECLINED])
@pytest.mark.parametrize("answer", [APPROVED, DECLINED, Failed(reason="request_refused")])
def test_a_payer_that_answers_after_all_is_believed_and_a_difference_is_reported(
    desk: Desk, claim: Any, answer: Outcome
) -> None:
    desk.journal.begin(charge(), "adyen")
    desk.take(notice(claim=claim))
    assert desk.journal.finish(charge(), answer) == answer
    desk.follow()
    assert desk.outcome() == answer
    differs = isinstance(claim, Approved) != isinstance(answer, Approved)
    assert desk.contradicted == ([("e-1", "k-1")] if differs else [])
    desk.restart()
    desk.follow()
    assert len(desk.contradicted) == differs, "it is reported once"


@pytest.mark.parametrize(
    ("claim", "answer", "stands"),
    [
        (APPROVED, LOST, TAKEN),
        (DECLINED, LOST, DECLINED),
        (DECLINED, Failed(reason="key_refused"), DECLINED),
        # An approval is what moved money: it stands, whoever says so.
        (APPROVED, DECLINED, TAKEN),
        (DECLINED, Approved(reference="late"), Approved(reference="late")),
    ],
)
def test_of_a_claim_and_a_payer_that_comes_too_late_an_approval_stands(
    desk: Desk, claim: Any, answer: Outcome, stands: Outcome
) -> None:
    desk.journal.begin(charge(), "adyen")
    desk.take(notice(claim=claim))
    desk.follow(PATIENCE + 1)
    assert desk.outcome() == as_it_stands(claim)
    with structlog.testing.capture_logs() as lines:
        assert desk.journal.finish(charge(), answer) == stands
    assert desk.outcome() == stands
    differs = answer is not LOST and isinstance(claim, Approved) != isinstance(answer, Approved)
    assert [each["event"] for each in lines] == ["outcome_contradicted"] * differs


def test_a_provider_that_can_be_asked_is_asked_and_not_believed(tmp_path: Path) -> None:
    desk = Desk(tmp_path, asks=True)
    lost(desk)
    desk.take(notice(), notice("e-2", claim=DECLINED), notice("e-3", claim=None))
    assert (desk.asked, desk.outcome()) == (["k-1"] * 3, LOST)
    desk.restart()
    desk.follow()
    assert len(desk.asked) == 3, "once each"


@pytest.mark.parametrize("kind", ["capture", "void", "refund"])
@pytest.mark.parametrize("claim", [APPROVED, Failed(reason="request_refused", code="CAPTURE")])
def test_what_was_accepted_becomes_final_by_its_key_or_by_its_reference(
    desk: Desk, kind: Any, claim: Any
) -> None:
    for key, reference in (("f-1", "psp-2"), ("f-2", "psp-3")):
        desk.journal.begin_later(key, charge(), "adyen", kind, reference="psp-1")
        desk.journal.decide(key, Accepted(reference=reference), "")
    desk.take(notice(key="f-1", reference="", about=kind, claim=claim))
    # Adyen's own pages name the charge where they made no reference of ours.
    lost(desk)
    desk.take(notice("e-2", key="k-1", reference="psp-3", about=kind, claim=claim))
    stands = as_it_stands(claim)
    assert (desk.outcome("f-1"), desk.outcome("f-2"), desk.outcome("k-1")) == (stands, stands, LOST)


def test_a_refund_that_fails_after_all_is_reported_and_stays_approved(desk: Desk) -> None:
    desk.journal.begin_later("f-1", charge(), "adyen", "refund", reference="psp-1")
    desk.journal.decide("f-1", Accepted(reference="psp-2"), "")
    desk.take(notice(key="f-1", about="refund"))
    failed = Failed(reason="request_refused", code="REFUND_FAILED")
    desk.take(notice("e-2", key="f-1", about="refund", claim=failed))
    assert (desk.outcome("f-1"), desk.contradicted) == (TAKEN, [("e-2", "f-1")])


def test_a_charge_is_found_by_what_its_steps_noted(tmp_path: Path) -> None:
    desk = Desk(tmp_path, asks=True)
    desk.journal.begin(charge(), "govuk_pay")
    desk.journal.note_step(charge(), "govuk_pay", "authorise", {"payment_id": "hu20"})
    desk.journal.finish(charge(), LOST)
    desk.take(notice(key="", reference="hu20"))
    assert desk.asked == ["k-1"]
    desk.take(notice("e-2", key="", reference="of somebody else"))
    assert desk.asked == ["k-1"]


def test_what_is_not_ours_leaves_no_line_in_the_journal(desk: Desk) -> None:
    lines = desk.lines()
    desk.take(*(notice(f"e-{n}", key=f"shop-{n}") for n in range(20)))
    assert desk.lines() == lines


def test_a_notice_that_cannot_be_kept_is_not_taken(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lost(desk)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(noticing, "check_space", full)
        with pytest.raises(OSError, match="No space"):
            desk.take(notice())
    assert desk.outcome() == LOST
    desk.take(notice())
    assert desk.outcome() == TAKEN


def test_what_a_full_journal_refused_is_applied_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lost(desk)

    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, structlog.testing.capture_logs() as lines:
        patched.setattr(desk.journal, "decide", full)
        desk.take(notice())
    assert [each["event"] for each in lines] == ["journal_failed"]
    assert desk.outcome() == LOST
    desk.follow(6.0)
    assert desk.outcome() == TAKEN


def test_ids_are_remembered_within_bounds_and_what_waits_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noticing, "MAX_EVENTS", 50)
    file = NoticeFile(tmp_path / "notices")
    assert file.open() == []
    file.take([notice("waits")])
    for n in range(300):
        file.take([notice(f"e-{n}")])
        file.close(f"e-{n}")
    assert len((tmp_path / "notices").read_bytes().split()) <= 2 * 50 + 2
    again = NoticeFile(tmp_path / "notices")
    assert [each.event for each in again.open()] == ["waits"]
    assert again.knows("e-299")
    assert not again.knows("e-3")


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_that_a_crash_cut_short_loses_no_other(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "notices"
    file = NoticeFile(path)
    file.take([notice("e-1")])
    whole = path.stat().st_size
    file.take([notice("e-2")])
    with path.open("r+b") as opened:
        opened.truncate(whole + cut)
    again = NoticeFile(path)
    assert [each.event for each in again.open()] == ["e-1"]
    again.take([notice("e-3")])
    assert [each.event for each in NoticeFile(path).open()] == ["e-1", "e-3"]


def account(adapter: str) -> Account:
    return Account(
        adapter=adapter, url="https://pay.example.com", api_key="k", journal="/nowhere", timeout=1.0,
        inquiry_time=1.0, token_type="none", merchant_account="m",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("adapter", "asks"), [("adyen", False), ("connector", True), ("govuk_pay", True), ("stripe", True)]
)
def test_whether_a_provider_can_be_asked_is_seen_of_its_inquiry(adapter: str, asks: bool) -> None:
    entry = Entry(at="2027-01-15T08:00:00.000+00:00", key="k", state="sending", amount=1, currency="GBP")
    assert can_inquire(registry.load(account(adapter)), entry) is asks


def test_every_order_of_claim_answer_and_restart_comes_to_the_same(tmp_path: Path) -> None:
    def begin(desk: Desk) -> None:
        desk.journal.begin(charge(), "adyen")

    def answer(desk: Desk) -> None:
        desk.journal.finish(charge(), LOST)

    steps: dict[str, Callable[[Desk], None]] = {
        "answer": answer,
        "claim": lambda desk: desk.take(notice()),
        "again": lambda desk: desk.take(notice("e-2")),
        "restart": Desk.restart,
    }
    for number, order in enumerate(itertools.permutations(steps)):
        directory = tmp_path / str(number)
        directory.mkdir()
        desk = Desk(directory)
        begin(desk)
        for step in order:
            steps[step](desk)
            desk.follow()
        assert (desk.outcome(), desk.contradicted) == (TAKEN, []), order
