"""Whatever is keyed, whatever the agent does and however long it takes: every way out of a capture
wipes the vault."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from datetime import date
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from media._core import SecretMemory
from media.capture.brands import find_brand
from media.capture.capture import Capture
from media.capture.check import passes_luhn
from media.capture.messages import Limits
from media.capture.transitions import IllegalEvent
from media.capture.vault import SIZE
from media.events import CaptureChanged, CaptureId, CaptureState, Field
from provider_adapters.payment import Approved, Charge, Declined, Failed, Outcome, Unknown
from tests.canary import CANARY, Card, find_in_text

TODAY = date(2026, 11, 30)
CHARGE = Charge(idempotency_key="k", transaction_id="t", amount=100, currency="EUR")
OUTCOMES = (
    Approved(reference="r"),
    Declined(reference="r", reason="05"),
    Failed(reason="f"),
    Unknown(reason="u"),
)
AREAS = {Field.CARD_NUMBER: 0, Field.EXPIRY: 32, Field.SECURITY_CODE: 48}
ASIDE, INTAKE = 64, 128

pressed = st.one_of(
    st.text("0123456789*#A", max_size=6),
    st.sampled_from(
        [
            CANARY.keys,
            CANARY.number,
            f"{CANARY.number}#",
            CANARY.expiry,
            CANARY.code,
            "378282246310005",
            "1326",
            "*",
            "#",
        ]
    ),
)


def press(capture: Capture[SecretMemory], text: str, now: float = 0.0) -> list[CaptureChanged]:
    def fill(memory: SecretMemory, offset: int) -> int:
        with memoryview(memory) as view:
            view[offset : offset + len(text)] = text.encode()
        return len(text)

    return capture.keys_waiting(fill, now)


class Pipe:
    """A payer's pipe: notes whether a whole card came, and answers, or fails before or after it
    took it."""

    def __init__(self, outcome: Outcome, fails: str) -> None:
        self.outcome, self.fails = outcome, fails
        self.whole = False

    def spend(self, charge: Charge, digits: Mapping[str, memoryview]) -> Coroutine[Any, Any, Outcome]:
        del charge
        number, expiry, code = digits.values()
        self.whole = passes_luhn(number) and len(number) >= 12 and len(expiry) == 4 and len(code) in (3, 4)
        if self.fails == "before":
            raise ConnectionError
        return self._answer()

    async def _answer(self) -> Outcome:
        if self.fails == "after":
            raise ConnectionError
        return self.outcome


class Captured(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.now = 1000.0
        self.memory = SecretMemory(SIZE)
        self.capture = Capture(CaptureId("c"), self.memory, today=TODAY, now=self.now, limits=Limits())
        self.last = self.capture.changed()

    def tell(self, changes: list[CaptureChanged]) -> None:
        for change in changes:
            self.last = change
        assert self.capture.changed() == self.last, "what changed was reported"

    @rule(text=pressed)
    def keys(self, text: str) -> None:
        self.tell(press(self.capture, text, self.now))

    @precondition(lambda self: self.capture.state is CaptureState.COLLECTING)
    @rule()
    def all_that_is_missing(self) -> None:
        field = next(each.field for each in self.capture.changed().fields if not each.complete)
        self.tell(self.capture.reset(field, self.now))
        self.now += 3.0
        self.tell(press(self.capture, CANARY.keys.split("#", list(Field).index(field))[-1], self.now))
        whole = self.capture.state is CaptureState.READY
        # A number keyed before may be of a brand with a longer security code.
        assert whole or self.capture.changed().brand == "amex"

    @rule(field=st.sampled_from([None, *Field]))
    def reset(self, field: Field | None) -> None:
        with suppress(IllegalEvent):
            self.tell(self.capture.reset(field, self.now))

    @rule(field=st.sampled_from([None, *Field]))
    def ask(self, field: Field | None) -> None:
        before = self.capture.changed()
        with suppress(IllegalEvent):
            self.tell(self.capture.ask(field, self.now))
            asked = self.capture.changed()
            assert asked.field == field or field is None
            for earlier, now in zip(before.fields, asked.fields, strict=True):
                stays = now.complete or now.kept or now.field == field
                assert stays or not earlier.complete, "another field is as it was"

    @rule()
    def cancel(self) -> None:
        with suppress(IllegalEvent):
            self.tell(self.capture.cancel(self.now))

    @rule(lost=st.booleans())
    def cut_short(self, lost: bool) -> None:
        self.tell(self.capture.lose_key(self.now) if lost else self.capture.call_gone(self.now))

    @rule(seconds=st.sampled_from([0.0, 1.0, 3.0, 59.9, 60.0, 120.0, 300.0]))
    def time_passes(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.capture.deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.tell(self.capture.expire(self.now))
            assert self.capture.deadline() != due, "an alarm that has rung is not set again"
        self.now = until

    @rule()
    def alarm_too_early(self) -> None:
        due = self.capture.deadline()
        if due is not None and due > self.now:
            before = self.capture.changed()
            assert self.capture.expire(self.now) == []
            assert self.capture.changed() == before

    @precondition(lambda self: self.capture.state is CaptureState.READY)
    @rule(
        outcome=st.sampled_from(OUTCOMES),
        fails=st.sampled_from(["", "", "before", "after"]),
        late=st.booleans(),
    )
    def submit(self, outcome: Outcome, fails: str, late: bool) -> None:
        self.tell(self.capture.submit(self.now))
        if late:  # no payer is free; time, or the end of the call, may come first
            return
        pipe = Pipe(outcome, fails)
        try:
            settled = asyncio.run(self.capture.spend(pipe, CHARGE))
        except ConnectionError:
            settled = Unknown(reason="payer failed")
        assert pipe.whole, "what is READY is a whole card"
        assert not any(memoryview(self.memory)), "spent is wiped, before the outcome is reported"
        self.tell(self.capture.settle(settled, self.now))

    @precondition(lambda self: self.capture.state is not CaptureState.READY)
    @rule()
    def submit_too_early_or_again(self) -> None:
        before = self.capture.changed()
        try:
            self.capture.submit(self.now)
        except IllegalEvent:
            assert self.capture.changed() == before
        else:
            raise AssertionError("submitted though not ready")

    @invariant()
    def every_way_out_wipes_all(self) -> None:
        if self.capture.over:
            assert not any(memoryview(self.memory))
            assert self.capture.deadline() is None

    @invariant()
    def the_intake_is_always_overwritten(self) -> None:
        assert not any(memoryview(self.memory)[INTAKE:])

    @invariant()
    def what_is_counted_is_what_is_held(self) -> None:
        if self.capture.over or self.capture.state is CaptureState.SUBMITTED:
            return
        with memoryview(self.memory) as view:
            for progress in self.capture.changed().fields:
                area = view[
                    AREAS[progress.field] : AREAS[progress.field]
                    + 16
                    + 3 * (progress.field == Field.CARD_NUMBER)
                ]
                held = [0x30 <= key <= 0x39 for key in area]
                aside = view[ASIDE + AREAS[progress.field] : ASIDE + AREAS[progress.field] + 16]
                assert any(aside) == progress.kept, "what is kept is there, and nothing else"
                assert held == [True] * progress.count + [False] * (len(area) - progress.count)

    @invariant()
    def only_the_current_field_of_those_that_are_not_complete_has_digits(self) -> None:
        change = self.capture.changed()
        if change.state is CaptureState.COLLECTING:
            waiting = {progress.field: progress for progress in change.fields if not progress.complete}
            assert change.field in waiting
            assert all(not each.count or field is change.field for field, each in waiting.items())
            assert all(not each.kept or field is change.field for field, each in waiting.items())
        else:
            assert change.field is None

    @invariant()
    def nothing_told_holds_a_digit_but_the_last_four_of_a_whole_number(self) -> None:
        change = self.capture.changed()
        assert (change.last_four is not None) <= change.fields[0].complete
        assert find_in_text(msgspec.json.encode(change).decode()) == []


Captured.TestCase.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)
test_every_way_out_of_a_capture_wipes_the_vault = Captured.TestCase


def card(body: str, expiry: str, code: str) -> Card:
    number = next(f"{body}{digit}" for digit in range(10) if passes_luhn(f"{body}{digit}".encode()))
    return Card(number, expiry, code)


def visas() -> st.SearchStrategy[Card]:
    return st.builds(
        card,
        st.text("0123456789", min_size=14, max_size=14).map(lambda rest: f"4{rest}"),
        st.builds(lambda month, year: f"{month:02}{year}", st.integers(1, 12), st.integers(27, 46)),
        st.text("0123456789", min_size=3, max_size=3),
    )


@given(visas(), visas(), st.lists(st.integers(1, 5), max_size=8))
@settings(deadline=None, max_examples=60)
def test_two_cards_of_one_brand_tell_the_same_but_for_the_last_four(
    one: Card, other: Card, bunches: list[int]
) -> None:
    reported = []
    for each in (one, other):
        capture = Capture(CaptureId("c"), SecretMemory(SIZE), today=TODAY, now=0.0)
        changes, rest = [], each.keys
        for size in [*bunches, len(each.keys)]:
            changes += press(capture, rest[:size])
            rest = rest[size:]
        assert capture.state is CaptureState.READY
        assert capture.changed().last_four == each.number[-4:]
        reported.append([msgspec.structs.replace(change, last_four=None) for change in changes])
    assert reported[0] == reported[1]


@given(st.text("0123456789", min_size=1, max_size=19))
def test_a_brand_once_told_changes_only_to_a_closer_one(number: str) -> None:
    found = [
        brand.name for length in range(1, len(number) + 1) if (brand := find_brand(number[:length].encode()))
    ]
    assert len(set(found[4:])) <= 1
