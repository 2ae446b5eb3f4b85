"""A payment whose form asks for other fields than a card's: its country, what is shown of it, and
its way through a snapshot."""

from __future__ import annotations

import msgspec
import pytest

from b2bua.call.order import Order
from b2bua.call.snapshot import restore_call, snapshot_call
from b2bua.call.view import NotNow
from media.events import CaptureForm, CaptureState, FieldProgress, FormField, StartCapture, SubmitCapture
from tests.call_script import DONE, MASK, Script

MANDATE = CaptureForm(
    name="mandate",
    fields=(
        FormField(name="iban", kind="iban", countries=("DE", "AT"), last_shown=4),
        FormField(name="pin", kind="secret", min_length=4, max_length=4, optional=True),
    ),
    result="deliver",
    deliver_to="crm",
)


def begun(country: str = "") -> Script:
    script = Script().answer()
    order = Order(transaction_id="m-1", amount=0, currency="", country=country)
    script._keep(script.call.start_capture("c1", order, script.now, form=MANDATE))
    return script


def start_of(script: Script) -> StartCapture:
    [command] = script.media(MASK, DONE)
    assert isinstance(command.command, StartCapture)  # type: ignore[union-attr]
    return command.command  # type: ignore[union-attr]


@pytest.mark.parametrize(("asked", "keyed"), [("", "DE"), ("AT", "AT")])
def test_the_chosen_country_is_keyed_and_handed_over_with_the_digits(asked: str, keyed: str) -> None:
    script = begun(asked)
    start = start_of(script)
    assert (start.form.country, start.form.countries) == (keyed, ("DE", "AT"))
    script.media(start, DONE)
    script.news("c1", CaptureState.COLLECTING)
    script.news("c1", CaptureState.READY)
    [command] = script.submit()
    assert isinstance(command.command, SubmitCapture)  # type: ignore[union-attr]
    charge = command.command.charge  # type: ignore[union-attr]
    assert charge.metadata["iban_country"] == keyed
    assert (charge.operation, charge.providers, charge.form) == ("deliver", ("crm",), "mandate")


@pytest.mark.parametrize("country", ["FR", "GB"])
def test_a_country_that_the_form_has_not_is_refused_and_nothing_changes(country: str) -> None:
    script = Script().answer()
    before = script.view
    order = Order(transaction_id="m-1", amount=0, currency="", country=country)
    with pytest.raises(NotNow, match="no account of that country"):
        script.call.start_capture("c1", order, script.now, form=MANDATE)
    assert script.view == before


def test_fields_are_asked_for_and_skipped_by_the_form_that_is_keyed() -> None:
    script = begun()
    script.media(start_of(script), DONE)
    script.news("c1", CaptureState.COLLECTING)
    assert script.call.ask_field("iban", script.now)
    assert script.call.skip_field("pin", script.now)
    for wrong in (
        lambda: script.call.ask_field("card_number", script.now),
        lambda: script.call.reset_capture("nrb", script.now),
        lambda: script.call.skip_field("iban", script.now),
    ):
        with pytest.raises(NotNow):
            wrong()


def test_the_last_field_that_is_left_is_not_skipped() -> None:
    script = begun()
    script.media(start_of(script), DONE)
    iban = FieldProgress(field="iban", complete=True, skipped=True)
    script.news("c1", CaptureState.COLLECTING, fields=(iban, FieldProgress(field="pin")))
    with pytest.raises(NotNow, match="one of this form is to be keyed"):
        script.call.skip_field("pin", script.now)


def test_digits_that_are_shown_go_with_a_capture_that_is_aborted() -> None:
    script = begun()
    script.media(start_of(script), DONE)
    script.news("c1", CaptureState.COLLECTING, shown={"iban": "3000"})
    assert script.view.capture is not None
    assert script.view.capture.shown == {"iban": "3000"}
    script.media_lost()
    assert script.view.capture.stage == "aborted"
    assert script.view.capture.shown == {}


def test_a_call_with_such_a_form_goes_through_a_snapshot() -> None:
    script = begun("AT")
    script.media(start_of(script), DONE)
    script.news("c1", CaptureState.COLLECTING, shown={"iban": "3201"})
    again = restore_call(snapshot_call(script.call, script.now), script.now)
    assert again.payment.form == MANDATE.in_country("AT")
    assert msgspec.structs.asdict(again.payment.view) == msgspec.structs.asdict(script.call.payment.view)
