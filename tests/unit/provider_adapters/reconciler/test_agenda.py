"""What is asked about, when, and when it is given up."""

from __future__ import annotations

from datetime import UTC, datetime

from provider_adapters.payer.entry import Entry
from provider_adapters.payment import Approved, Outcome, Unknown
from provider_adapters.reconciler.agenda import MAX_PAUSE, MIN_PAUSE, Agenda

START = 1_800_000_000.0


def line(key: str = "k-1", at: float = START, outcome: Outcome | None = None, **more: object) -> Entry:
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    state = "sending" if outcome is None else "finished"
    return Entry(at=stamp, key=key, state=state, outcome=outcome, **more)  # type: ignore[arg-type]


def test_a_charge_under_way_is_left_to_its_payer_until_its_patience_is_over() -> None:
    agenda = Agenda(patience=65, limit=1000)
    agenda.observe(line())
    assert agenda.due(START + 64, 4) == []
    assert [item.entry.key for item in agenda.due(START + 65, 4)] == ["k-1"]


def test_an_unknown_outcome_is_asked_about_at_once() -> None:
    agenda = Agenda(patience=65, limit=1000)
    agenda.observe(line())
    agenda.observe(line(at=START + 3, outcome=Unknown(reason="connection_lost")))
    assert len(agenda.due(START + 3, 4)) == 1


def test_what_is_decided_is_no_more_asked_about() -> None:
    agenda = Agenda(patience=0, limit=1000)
    agenda.observe(line())
    agenda.observe(line(at=START + 1, outcome=Approved(reference="r")))
    assert len(agenda) == 0
    for reason in ("amount_differs", "currency_differs", "not_decided"):
        agenda.observe(line(outcome=Unknown(reason=reason)))
        assert len(agenda) == 0, "a person looks"


def test_pauses_grow_and_one_inquiry_at_a_time_is_under_way() -> None:
    agenda = Agenda(patience=0, limit=1e9)
    agenda.observe(line())
    now, pauses = START, []
    for _ in range(14):
        assert len(agenda.due(now, 4)) == 1
        assert agenda.due(now + MAX_PAUSE, 4) == [], "it is being asked about"
        agenda.asked("k-1", now)
        (following,) = agenda.next_times(["k-1"]).values()
        pauses.append(following - now)
        now = following
    assert pauses[:3] == [MIN_PAUSE, 2 * MIN_PAUSE, 4 * MIN_PAUSE]
    assert pauses[-1] == MAX_PAUSE


def test_a_person_may_have_it_asked_about_now() -> None:
    agenda = Agenda(patience=100, limit=1000)
    agenda.observe(line("k-1"))
    agenda.observe(line("k-2"))
    assert agenda.ask_now(["k-2"], START + 1) == 1
    assert [item.entry.key for item in agenda.due(START + 1, 4)] == ["k-2"]
    assert agenda.ask_now([], START + 1) == 2


def test_the_notes_of_the_steps_are_kept_over_the_end_of_the_payer() -> None:
    agenda = Agenda(patience=0, limit=1000)
    agenda.observe(line(provider="stripe"))
    agenda.observe(line(step="intent", notes={"id": "pi_1"}, provider="stripe"))
    agenda.observe(line(outcome=Unknown(reason="timeout")))
    (item,) = agenda.due(START + 1, 4)
    assert (item.entry.notes, item.entry.provider, item.sent_at) == ({"id": "pi_1"}, "stripe", START)


def test_the_notes_of_one_provider_are_not_shown_to_the_next() -> None:
    agenda = Agenda(patience=0, limit=1000)
    agenda.observe(line(provider="first", notes={"id": "pi_1"}))
    agenda.observe(line(provider="second", step="fallback"))
    (item,) = agenda.due(START + 1, 4)
    assert (item.entry.notes, item.entry.provider) == ({}, "second")


def test_so_many_at_once_and_the_longest_waiting_first() -> None:
    agenda = Agenda(patience=0, limit=1000)
    for number in range(9):
        agenda.observe(line(f"k-{number}", at=START - number))
    assert [item.entry.key for item in agenda.due(START, 2)] == ["k-8", "k-7"]
    assert agenda.oldest() == START - 8


def test_after_the_limit_it_is_late() -> None:
    agenda = Agenda(patience=0, limit=10)
    agenda.observe(line())
    (item,) = agenda.due(START, 1)
    assert not agenda.is_late(item, START + 10)
    assert agenda.is_late(item, START + 11)
