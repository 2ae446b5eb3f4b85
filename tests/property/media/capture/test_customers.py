"""Customers as they are: they key in groups, bounce, slip, correct, and hear from the agent what
did not count. What is ready to be charged is what they meant."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from media.capture.brands import find_brand
from media.capture.check import passes_luhn
from media.events import FIELD_REASONS, CaptureState, Field, FieldReason
from tests.keying import Customer

_AT_ONCE = (0.08, 0.9)
_LATER = (1.1, 5.0)
# Seconds in which the agent says what was refused, and a number that could be longer is taken.
_HEARS = 6.0


@dataclass(frozen=True)
class Meant:
    """The card that the customer means to key."""

    number: str
    expiry: str
    code: str

    def digits(self, field: Field) -> str:
        return {Field.CARD_NUMBER: self.number, Field.EXPIRY: self.expiry, Field.SECURITY_CODE: self.code}[
            field
        ]


@st.composite
def cards(draw: st.DrawFn) -> Meant:
    prefix, length = draw(
        st.sampled_from(
            [("4", 16), ("4", 19), ("55", 16), ("37", 15), ("6011", 16), ("6011", 19), ("62", 17), ("36", 14)]
        )
    )
    body = prefix + draw(
        st.text("0123456789", min_size=length - len(prefix) - 1, max_size=length - len(prefix) - 1)
    )
    number = next(f"{body}{digit}" for digit in range(10) if passes_luhn(f"{body}{digit}".encode()))
    expiry = f"{draw(st.integers(1, 12)):02}{draw(st.integers(27, 46))}"
    code_length = 4 if length == 15 else 3
    return Meant(number, expiry, draw(st.text("0123456789", min_size=code_length, max_size=code_length)))


def needs_end(number: str) -> bool:
    """Whether a number of this length is taken with `#` only."""
    brand = find_brand(number.encode())
    assert brand is not None
    return len(number) not in (brand.usual, brand.lengths[-1])


class Faulty(Customer):
    """Keys a field, with the faults that `chance` brings."""

    def type(self, field: Field, meant: Meant, chance: random.Random, *, faults: bool) -> None:
        digits = meant.digits(field)
        groups = chance.random() < 0.5 and field == Field.CARD_NUMBER
        fault = chance.choice(["none", "bounce", "slip"]) if faults else "none"
        place = chance.randrange(len(digits)) if fault != "none" else -1
        for at, digit in enumerate(digits):
            if groups and at and at % 4 == 0:
                self.wait(chance.uniform(*_LATER))
            if fault == "slip" and at == place:
                self._press(str((int(digit) + chance.randint(1, 9)) % 10))
                self.wait(chance.uniform(*_AT_ONCE))
                self._press("*")
                self.wait(chance.uniform(*_LATER))
                self.type(field, meant, chance, faults=False)
                return
            self._press(digit)
            self.wait(chance.uniform(*_AT_ONCE))
            if fault == "bounce" and at == place:
                self._press(digit)
                self.wait(chance.uniform(*_AT_ONCE))
        if (field == Field.CARD_NUMBER and needs_end(digits)) or chance.random() < 0.5:
            self._press("#")


def bounced(number: str, meant: str) -> bool:
    """Whether one digit more makes another number that its brand allows: no machine can know.

    A number that its brand ends there may lack its last digit: this went to the expiry date, and
    the customer cleared it together with a slip of that field.
    """
    doubled = {meant[:at] + meant[at] + meant[at:] for at in range(len(meant))}
    brand = find_brand(meant.encode())
    assert brand is not None
    return number in doubled | {each[: brand.lengths[-1]] for each in doubled}


def ran_on(number: str, meant: str) -> bool:
    """Whether digits of the expiry date made a longer number that its brand allows: no machine can
    know. The customer slipped in that field and keyed it anew, so the rest is right."""
    brand = find_brand(meant.encode())
    assert brand is not None
    return number.startswith(meant) and len(number) == brand.lengths[-1] and passes_luhn(number.encode())


@given(cards(), st.integers(0, 1 << 32).map(random.Random))
@settings(max_examples=300, deadline=None)
def test_what_is_ready_is_what_was_meant_or_the_agent_was_warned(meant: Meant, chance: random.Random) -> None:
    customer = Faulty()
    for attempt in range(12):
        field = customer.capture.changed().field
        if field is None:
            break
        before = len(customer.changes)
        customer.type(field, meant, chance, faults=attempt < 4)
        customer.wait(chance.uniform(*_LATER) + _HEARS)
        now = customer.capture.changed().field
        said = {change.reason for change in customer.changes[before:]}
        unfinished = now == field and customer.capture.changed().fields[list(Field).index(field)].count
        if unfinished or FIELD_REASONS[FieldReason.NOTHING_TO_CLEAR] in said:
            customer.capture.reset(field, customer.now)  # the agent has it keyed anew
            customer.wait(_HEARS)
    assert customer.capture.state is CaptureState.READY, "whoever keys a field right in the end can pay"
    number, expiry, code = customer.held
    assert (expiry, code) == (meant.expiry, meant.code)
    assert number == meant.number or customer.warned or bounced(number, meant.number)


@given(cards(), st.integers(0, 1 << 32).map(random.Random))
@settings(max_examples=200, deadline=None)
def test_who_keys_without_a_fault_is_never_warned(meant: Meant, chance: random.Random) -> None:
    customer = Faulty()
    for field in Field:
        customer.type(field, meant, chance, faults=False)
        longest = 2.0 if field != Field.CARD_NUMBER else 7.0
        customer.wait(longest)
    assert not customer.warned
    assert customer.capture.state is CaptureState.READY
    assert customer.held == (meant.number, meant.expiry, meant.code)


@given(cards(), st.integers(0, 1 << 32).map(random.Random))
@settings(max_examples=200, deadline=None)
def test_who_keys_on_without_hearing_the_agent_is_charged_what_was_meant_or_the_agent_is_warned(
    meant: Meant, chance: random.Random
) -> None:
    customer = Faulty()
    for field in Field:
        customer.type(field, meant, chance, faults=True)
        customer.wait(chance.uniform(*chance.choice([_AT_ONCE, _LATER])))
    customer.wait(10.0)
    if customer.capture.state is CaptureState.READY and not customer.warned:
        number, expiry, code = customer.held
        assert (expiry, code) == (meant.expiry, meant.code)
        assert number == meant.number or bounced(number, meant.number) or ran_on(number, meant.number)
