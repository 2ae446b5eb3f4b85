"""Forms of any fields in any order: whatever is keyed, the machine, the vault and the checks agree;
whoever keys a field right is understood."""

from __future__ import annotations

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from media.capture.check import Verdict
from media.capture.form import Form, Keyed
from media.capture.form_rules import make_form
from media.capture.messages import Limits
from media.events import CaptureForm, CaptureState, Field, card_fields
from tests.forms import form
from tests.keying import TODAY, Customer

forms = st.sampled_from(
    [form(*fields) for size in (1, 2, 3) for fields in itertools.permutations(Field, size)]
)
MEANT = {
    Field.CARD_NUMBER: ("5555555555554444", "4111111111111111", "378282246310005", "4000000000000000006"),
    Field.EXPIRY: ("1139", "0127"),
    Field.SECURITY_CODE: ("993", "123"),
}
PIECES = [*"0123456789*#", *(text for texts in MEANT.values() for text in texts)]
pauses = st.sampled_from([0.2, 0.9, 1.1, 3.5, 7.0])


def verdicts(customer: Customer, fields: Form) -> list[Verdict]:
    """Of each field as it is held, and ended."""
    digits = dict(zip(fields.fields, map(str.encode, customer.held), strict=True))
    return [rules.check(Keyed(digits, TODAY, ended=True)).verdict for rules in fields.rules]


@given(forms, st.lists(st.tuples(st.sampled_from(PIECES), pauses), max_size=12))
@settings(max_examples=1000, deadline=None)
def test_whatever_is_keyed_a_form_is_ready_only_with_fields_that_pass(
    fields: Form, script: list[tuple[str, float]]
) -> None:
    customer = Customer(form=fields)
    for keys, pause in script:
        customer.keys(keys).wait(pause)
        change = customer.capture.changed()
        complete = [each.complete for each in change.fields]
        assert complete == sorted(complete, reverse=True), "a field is complete before the one before it"
        found = verdicts(customer, fields)
        assert all(
            verdict is Verdict.COMPLETE for verdict, whole in zip(found, complete, strict=True) if whole
        )
        assert (change.state is CaptureState.READY) == all(complete)


@given(forms, st.integers(0, 1 << 32).map(random.Random))
@settings(max_examples=300, deadline=None)
def test_who_keys_each_field_right_is_never_warned(fields: Form, chance: random.Random) -> None:
    customer = Customer(form=fields)
    meant = tuple(chance.choice(MEANT[field]) for field in fields.fields)
    for digits in meant:
        customer.keys(digits).wait(chance.uniform(0.1, 0.5))
        if chance.random() < 0.5:
            customer.keys("#").wait(chance.uniform(0.1, 5.0))
        else:
            customer.wait(7.0)
    customer.wait(1.0)
    assert not customer.warned
    assert customer.capture.state is CaptureState.READY
    assert customer.held == meant


@given(forms, st.integers(0, 1 << 32).map(random.Random))
@settings(max_examples=300, deadline=None)
def test_who_keys_one_digit_too_many_is_charged_what_was_meant_or_the_agent_is_warned(
    fields: Form, chance: random.Random
) -> None:
    customer = Customer(form=fields, cadence=0.2)
    meant = tuple(chance.choice(MEANT[field]) for field in fields.fields)
    keys = "".join(meant)
    place = chance.randrange(len(keys))
    customer.keys(keys[:place] + keys[place] + keys[place:]).wait(20.0)
    if customer.capture.state is CaptureState.READY and customer.held != meant:
        assert customer.warned


@given(
    forms,
    st.lists(
        st.tuples(st.one_of(st.sampled_from(PIECES), st.sampled_from([None, *Field])), pauses), max_size=14
    ),
)
@settings(max_examples=1000, deadline=None)
def test_whatever_is_asked_for_in_whatever_order_a_form_is_ready_only_with_fields_that_pass(
    fields: Form, script: list[tuple[str | None, float]]
) -> None:
    customer = Customer(form=fields)
    for what, pause in script:
        if what is None or what in fields.fields:
            before = customer.capture.changed()
            customer.capture.ask(None if what is None else Field(what), customer.now)
            customer.wait(pause)
            now = customer.capture.changed()
            for was, is_now in zip(before.fields, now.fields, strict=True):
                stays = is_now.complete or is_now.kept or not was.complete
                assert stays, "what was complete counts, whatever is asked for"
        elif what not in list(Field):
            customer.keys(what).wait(pause)
        change = customer.capture.changed()
        if change.state is CaptureState.ABORTED:
            return
        found = verdicts(customer, fields)
        for progress, verdict in zip(change.fields, found, strict=True):
            assert verdict is Verdict.COMPLETE or not progress.complete
        assert (change.state is CaptureState.READY) == all(each.complete for each in change.fields)


@given(
    st.lists(
        st.tuples(st.one_of(st.sampled_from(PIECES), st.sampled_from(["skip", None, *Field])), pauses),
        max_size=14,
    )
)
@settings(max_examples=500, deadline=None)
def test_with_a_code_that_may_be_skipped_a_form_is_ready_only_with_fields_that_pass_or_are_skipped(
    script: list[tuple[str | None, float]],
) -> None:
    fields = make_form(CaptureForm(fields=card_fields("optional"), tries=5))
    customer = Customer(form=fields, limits=Limits(tries=5))
    for what, pause in script:
        if what == "skip":
            customer.capture.skip(Field.SECURITY_CODE, customer.now)
            customer.wait(pause)
        elif what is None or what in list(Field):
            customer.capture.ask(None if what is None else Field(what), customer.now)
            customer.wait(pause)
        else:
            customer.keys(what).wait(pause)
        change = customer.capture.changed()
        if change.state is CaptureState.ABORTED:
            assert not any(memoryview(customer.memory))
            return
        for progress, verdict in zip(change.fields, verdicts(customer, fields), strict=True):
            assert progress.rejected < 5
            if progress.skipped:
                assert (progress.complete, progress.count) == (True, 0)
            else:
                assert verdict is Verdict.COMPLETE or not progress.complete
        assert (change.state is CaptureState.READY) == all(each.complete for each in change.fields)
