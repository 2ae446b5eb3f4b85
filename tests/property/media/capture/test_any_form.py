"""Any form of optional fields and fields keyed twice, whatever is keyed and asked for: no fault,
and the vault holds as many digits as the agent sees."""

from __future__ import annotations

import contextlib

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from media.capture.form_rules import make_form
from media.capture.transitions import IllegalEvent
from media.events import CaptureForm, FormField, card_fields
from tests.keying import Customer

FIELDS = (
    *card_fields("optional"),
    FormField(name="two", kind="digits", min_length=2, max_length=2),
    FormField(name="some", kind="digits", min_length=2, max_length=4, optional=True),
    FormField(name="bank", kind="sort_code"),
    FormField(name="account", kind="uk_account"),
)
KEYS = (
    "4111111111111111",
    "378282246310005",
    "1139",
    "993",
    "9931",
    "12",
    "203099",
    "66374958",
    "5",
    "#",
    "*",
)
forms = st.lists(
    st.builds(
        lambda field, twice: msgspec.structs.replace(field, confirm=twice),
        st.sampled_from(FIELDS),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda field: field.name,
)
steps = st.lists(
    st.one_of(
        st.sampled_from(KEYS),
        st.sampled_from((0.5, 1.2, 3.1, 6.5)),
        st.tuples(st.sampled_from(("ask", "reset", "skip")), st.integers(0, 9)),
    ),
    max_size=14,
)


@given(forms, steps)
def test_no_request_and_no_key_is_a_fault(fields: list[FormField], taken: list[object]) -> None:
    form = make_form(CaptureForm(fields=tuple(fields)))
    customer = Customer(form=form)
    for step in taken:
        with contextlib.suppress(IllegalEvent):
            match step:
                case str():
                    customer.keys(step)
                case float():
                    customer.wait(step)
                case (str() as request, int() as place):
                    getattr(customer.capture, request)(form.fields[place % len(form.fields)], customer.now)
        for each in customer.capture.changed().fields:
            held = customer.capture._vault.count(each.field)
            # A second entry that is the same is overwritten at once.
            assert held == each.count or (form.rules_of(each.field).confirms and held == 0)
