"""The capture machine as scripts: events in, exact commands out."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from media.capture.check import COMPLETE, ENOUGH, INCOMPLETE, Check, Verdict
from media.capture.messages import (
    Asked,
    CallGone,
    Cancelled,
    ClearKeyed,
    Command,
    Contradicted,
    DigitDropped,
    DigitKeyed,
    DigitsMoved,
    EndKeyed,
    Event,
    Limits,
    Lost,
    Paused,
    Report,
    Reset,
    RunEnded,
    Settled,
    Skipped,
    Spend,
    Submitted,
    TimedOut,
    Wipe,
)
from media.capture.state import CaptureMachine
from media.capture.transitions import TRANSITIONS, IllegalEvent
from media.events import FIELD_REASONS, CaptureState, Field, FieldReason
from provider_adapters.payment import Approved, Unknown

LUHN = Check(Verdict.INVALID, FieldReason.CARD_NUMBER_CHECK_DIGIT)
SAID = FIELD_REASONS[FieldReason.CARD_NUMBER_CHECK_DIGIT]
APPROVED = Approved(reference="r")
LENGTHS = {Field.CARD_NUMBER: 16, Field.EXPIRY: 4, Field.SECURITY_CODE: 3}

SAMPLES: dict[type[Event], Event] = {
    DigitKeyed: DigitKeyed(INCOMPLETE),
    DigitDropped: DigitDropped(),
    DigitsMoved: DigitsMoved(INCOMPLETE),
    EndKeyed: EndKeyed(LUHN),
    Paused: Paused(LUHN),
    RunEnded: RunEnded(),
    ClearKeyed: ClearKeyed(),
    Reset: Reset(),
    Asked: Asked(Field.EXPIRY),
    Skipped: Skipped(Field.SECURITY_CODE),
    Contradicted: Contradicted(Field.EXPIRY, LUHN),
    Submitted: Submitted(),
    Settled: Settled(APPROVED),
    Cancelled: Cancelled(),
    TimedOut: TimedOut(),
    Lost: Lost(),
    CallGone: CallGone(),
}


def key(machine: CaptureMachine, *fields: Field, now: float = 0.0) -> None:
    """Key these fields to their ends, each with `#`."""
    for field in fields:
        for place in range(LENGTHS[field]):
            check = COMPLETE if place == LENGTHS[field] - 1 else INCOMPLETE
            machine.receive(DigitKeyed(check), now)
        machine.receive(EndKeyed(COMPLETE), now)


def a_machine(state: CaptureState, now: float = 0.0) -> CaptureMachine:
    machine = CaptureMachine(now)
    if state is CaptureState.COLLECTING:
        return machine
    if state is CaptureState.ABORTED:
        machine.receive(Cancelled(), now)
        return machine
    key(machine, *Field, now=now)
    if state is not CaptureState.READY:
        machine.receive(Submitted(), now)
    if state is CaptureState.FINISHED:
        machine.receive(Settled(APPROVED), now)
    assert machine.state is state
    return machine


def counts(machine: CaptureMachine) -> list[tuple[int, bool, int]]:
    return [(progress.count, progress.complete, progress.rejected) for progress in machine.progress.values()]


def test_fields_are_keyed_one_after_the_other_until_ready() -> None:
    machine = CaptureMachine(0.0)
    for field in Field:
        assert machine.field == field
        for _ in range(LENGTHS[field] - 1):
            assert machine.receive(DigitKeyed(INCOMPLETE), 0.0) == [Report()]
        assert machine.receive(DigitKeyed(COMPLETE), 0.0) == [Report()]
    assert machine.state is CaptureState.COLLECTING
    assert machine.deadline() == machine.limits.field_pause
    assert machine.receive(RunEnded(), machine.limits.field_pause) == [Report()]
    assert machine.state is CaptureState.READY
    assert machine.field is None
    assert counts(machine) == [(16, True, 0), (4, True, 0), (3, True, 0)]


def test_the_end_key_ends_a_field_that_could_be_longer() -> None:
    machine = CaptureMachine(0.0)
    machine.receive(DigitKeyed(INCOMPLETE), 0.0)
    assert machine.receive(EndKeyed(COMPLETE), 0.0) == [Report()]
    assert machine.field == Field.EXPIRY


def test_a_field_that_fails_its_check_is_wiped_and_asked_for_again() -> None:
    machine = CaptureMachine(0.0)
    machine.receive(DigitKeyed(INCOMPLETE), 0.0)
    wiped = [*map(Wipe, Field), Report(SAID)]
    assert machine.receive(EndKeyed(LUHN), 0.0) == wiped
    assert not machine.wants_digit(2.9)
    assert machine.wants_digit(3.0)
    assert machine.receive(DigitKeyed(LUHN), 3.0) == wiped
    assert machine.field == Field.CARD_NUMBER
    assert counts(machine)[0] == (0, False, 2)


def test_the_end_key_after_a_field_that_ended_by_itself_means_nothing() -> None:
    machine = CaptureMachine(0.0)
    key(machine, Field.CARD_NUMBER)
    assert machine.receive(EndKeyed(Check(Verdict.INVALID, FieldReason.EXPIRY_LENGTH)), 0.0) == []
    assert counts(machine)[1] == (0, False, 0)


def test_the_clear_key_clears_the_field_being_keyed() -> None:
    machine = CaptureMachine(0.0)
    key(machine, Field.CARD_NUMBER)
    machine.receive(DigitKeyed(INCOMPLETE), 0.0)
    assert machine.receive(ClearKeyed(), 0.0) == [Wipe(Field.EXPIRY), Report()]
    assert counts(machine) == [(16, True, 0), (0, False, 0), (0, False, 0)]


def test_the_clear_key_on_an_empty_field_steps_back() -> None:
    machine = CaptureMachine(0.0)
    key(machine, Field.CARD_NUMBER, Field.EXPIRY)
    nothing = Report(FIELD_REASONS[FieldReason.NOTHING_TO_CLEAR])
    assert machine.receive(ClearKeyed(), 5.0) == [nothing]
    assert machine.receive(ClearKeyed(), 5.9) == [nothing], "a bounce"
    assert machine.receive(ClearKeyed(), 6.9) == [Wipe(Field.EXPIRY), Report()]
    assert machine.receive(ClearKeyed(), 8.0) == [Wipe(Field.CARD_NUMBER), Report()]
    assert machine.receive(ClearKeyed(), 9.0) == [Wipe(Field.CARD_NUMBER), Report()]
    assert machine.field == Field.CARD_NUMBER


def test_the_clear_key_when_ready_takes_back_the_security_code() -> None:
    machine = a_machine(CaptureState.READY)
    assert machine.receive(ClearKeyed(), 1.0) == [Wipe(Field.SECURITY_CODE), Report()]
    assert machine.field == Field.SECURITY_CODE


def test_digits_are_ignored_when_ready_and_that_is_reported() -> None:
    machine = a_machine(CaptureState.READY)
    assert not machine.wants_digit(1.0)
    assert machine.receive(DigitDropped(), 1.0) == [Report(FIELD_REASONS[FieldReason.KEYS_IGNORED])]
    assert machine.state is CaptureState.READY
    assert counts(machine)[2] == (3, True, 0)


@pytest.mark.parametrize("field", [None, *Field])
def test_a_reset_wipes_the_field_and_all_that_come_after_it(field: Field | None) -> None:
    machine = a_machine(CaptureState.READY)
    first = field or Field.CARD_NUMBER
    wiped = list(Field)[list(Field).index(first) :]
    assert machine.receive(Reset(field), 1.0) == [*map(Wipe, wiped), Report()]
    assert machine.field is first


def test_a_reset_of_a_later_field_leaves_the_one_being_keyed() -> None:
    machine = CaptureMachine(0.0)
    machine.receive(DigitKeyed(ENOUGH), 0.0)
    machine.receive(Reset(Field.SECURITY_CODE), 1.0)
    assert machine.field == Field.CARD_NUMBER
    assert counts(machine)[0] == (1, False, 0)
    assert machine.pause_over(1.0 + machine.limits.number_pause)


def test_an_outcome_wipes_and_finishes() -> None:
    machine = a_machine(CaptureState.READY)
    assert machine.receive(Submitted(), 1.0) == [Spend(), Report()]
    assert machine.receive(Settled(APPROVED), 2.0) == [Wipe(), Report()]
    assert machine.state is CaptureState.FINISHED
    assert machine.outcome is APPROVED
    assert machine.deadline() is None


@pytest.mark.parametrize("state", [CaptureState.COLLECTING, CaptureState.READY])
@pytest.mark.parametrize("event", [Cancelled(), Lost("more keys than fit"), CallGone()])
def test_a_capture_cut_short_is_wiped_and_says_why(state: CaptureState, event: Event) -> None:
    machine = a_machine(state)
    wipe, report = machine.receive(event, 1.0)
    assert wipe == Wipe()
    assert isinstance(report, Report)
    assert report.reason
    assert machine.state is CaptureState.ABORTED
    assert counts(machine) == [(0, False, 0)] * 3


def test_a_charge_goes_on_when_the_call_ends() -> None:
    machine = a_machine(CaptureState.SUBMITTED)
    assert machine.receive(CallGone(), 1.0) == []
    assert machine.state is CaptureState.SUBMITTED


def test_what_was_submitted_cannot_be_cancelled_or_submitted_again() -> None:
    machine = a_machine(CaptureState.SUBMITTED)
    for event in (Cancelled(), Submitted(), Reset()):
        with pytest.raises(IllegalEvent, match="capture is submitted"):
            machine.receive(event, 1.0)
    assert machine.state is CaptureState.SUBMITTED


def test_no_key_for_too_long_aborts() -> None:
    machine = CaptureMachine(100.0, Limits(inactivity=60.0))
    machine.receive(DigitKeyed(INCOMPLETE), 120.0)
    assert machine.deadline() == 180.0
    assert machine.receive(TimedOut(), 179.9) == []
    assert machine.receive(TimedOut(), 180.0) == [Wipe(), Report("no key pressed for too long")]


def test_keying_has_an_end_however_busy_the_customer_is() -> None:
    machine = CaptureMachine(0.0, Limits(inactivity=60.0, total=300.0))
    for now in range(0, 300, 10):
        machine.receive(ClearKeyed(), float(now))
    assert machine.deadline() == 300.0
    assert machine.receive(TimedOut(), 300.0) == [Wipe(), Report("keying took too long")]


def test_the_agents_reset_gives_the_customer_the_whole_time_again() -> None:
    machine = CaptureMachine(0.0, Limits(inactivity=1000.0, total=300.0))
    machine.receive(Reset(), 299.0)
    assert machine.deadline() == 599.0


def test_ready_but_never_submitted_aborts() -> None:
    machine = a_machine(CaptureState.READY, now=10.0)
    assert machine.deadline() == 130.0
    assert machine.receive(TimedOut(), 130.0) == [Wipe(), Report("not submitted in time")]


def test_a_charge_without_an_outcome_ends_unknown() -> None:
    machine = a_machine(CaptureState.SUBMITTED, now=10.0)
    assert machine.receive(TimedOut(), 10.0 + machine.limits.submitted) == [Wipe(), Report()]
    assert machine.state is CaptureState.FINISHED
    assert isinstance(machine.outcome, Unknown)
    assert machine.receive(Settled(APPROVED), 500.0) == []
    assert isinstance(machine.outcome, Unknown)


def test_a_pause_at_the_usual_length_ends_the_card_number() -> None:
    machine = CaptureMachine(0.0, Limits(number_pause=3.0))
    machine.receive(DigitKeyed(ENOUGH), 10.0)
    assert machine.deadline() == 13.0
    assert not machine.pause_over(12.9)
    assert machine.pause_over(13.0)
    assert machine.receive(Paused(COMPLETE), 13.0) == [Report()]
    assert machine.field == Field.EXPIRY
    assert not machine.pause_over(1000.0)
    assert machine.deadline() == 73.0


@pytest.mark.parametrize("event", [DigitKeyed(INCOMPLETE), ClearKeyed(), EndKeyed(LUHN), Reset()])
def test_a_key_before_the_pause_is_over_takes_the_pause_away(event: Event) -> None:
    machine = CaptureMachine(0.0)
    machine.receive(DigitKeyed(ENOUGH), 10.0)
    machine.receive(event, 11.0)
    assert not machine.pause_over(1000.0)


def test_every_kind_of_event_is_in_the_table_of_some_state() -> None:
    known = {event for row in TRANSITIONS.values() for event in row}
    assert known == set(get_args(Event)) == set(SAMPLES)
    assert set(TRANSITIONS) == set(CaptureState)


@pytest.mark.parametrize(("state", "kind"), list(product(CaptureState, SAMPLES)))
def test_an_event_outside_the_table_raises_and_changes_nothing(
    state: CaptureState, kind: type[Event]
) -> None:
    machine = a_machine(state)
    before = (counts(machine), machine.outcome, machine.deadline())
    if kind in TRANSITIONS[state]:
        machine.receive(SAMPLES[kind], 0.5)
        assert machine.state in TRANSITIONS[state][kind]
    else:
        with pytest.raises(IllegalEvent):
            machine.receive(SAMPLES[kind], 0.5)
        assert machine.state is state
        assert (counts(machine), machine.outcome, machine.deadline()) == before


def test_commands_are_values() -> None:
    commands: list[Command] = [Wipe(), Wipe(Field.EXPIRY), Spend(), Report("why")]
    assert len(set(commands)) == 4
