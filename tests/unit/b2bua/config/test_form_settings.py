"""Forms and fields of sip.conf: what they become, and what is refused before a call needs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.config.assembly import build_forms
from b2bua.config.field_settings import KNOWN_FIELDS
from b2bua.config.reading import read_settings, read_signalling
from media.capture.form_rules import make_form
from media.events import CaptureForm, FormField
from media.form_description import describe, describe_field
from tonewall.ini import ConfigError, read_file

EXAMPLE = Path(__file__).parents[4] / "sip.conf.example"
CRM = "[provider crm]\nadapter = delivery\nurl = https://crm.example/forms\ntoken_type = none\n"
DELIVERED = "result = deliver\ndeliver_to = crm\n"


def written(text: str, path: Path) -> Path:
    """The example with these sections behind it."""
    file = path / "sip.conf"
    file.write_text(f"{EXAMPLE.read_text()}\n{text}")
    return file


def forms(text: str, path: Path) -> dict[str, CaptureForm]:
    settings = read_settings(written(text, path))
    return build_forms(settings.signalling)


def faults(text: str, path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_settings(written(text, path))
    return str(caught.value).splitlines()


@pytest.mark.parametrize("name", [name for name in KNOWN_FIELDS if name != "iban"])
def test_every_field_that_needs_no_section_can_be_keyed(name: str) -> None:
    field = KNOWN_FIELDS[name]
    assert describe_field(field).field == name
    make_form(CaptureForm(fields=(field,)))


def test_a_form_has_its_fields_in_its_own_order(tmp_path: Path) -> None:
    made = forms(
        f"{CRM}[form]\n[form direct-debit]\nfields = birth-date, sort_code, account_number\n"
        f"confirm = account_number\noptional = birth_date\n{DELIVERED}",
        tmp_path,
    )
    form = made["direct-debit"]
    assert [each.name for each in form.fields] == ["birth_date", "sort_code", "account_number"]
    assert [each.confirm for each in form.fields] == [False, False, True]
    assert [each.optional for each in form.fields] == [True, False, False]
    assert (form.result, form.deliver_to) == ("deliver", "crm")
    described = describe(form)
    assert [each.field for each in described.fields][-1] == "account_number_again"
    assert described.result == "deliver"
    assert made["card"] == CaptureForm()


def test_a_company_makes_fields_of_its_own_and_changes_known_ones(tmp_path: Path) -> None:
    made = forms(
        f"{CRM}[field membership-number]\nlabel = Membership\nmin_length = 10\nmax_length = 10\n"
        f"check = mod11\nlast_shown = 3\n[field postcode]\nmin_length = 5\nmax_length = 5\n"
        f"[field iban]\ncountries = DE, AT\n[field birth-date]\nmin_age = 18\n"
        f"[form]\n[form club]\nfields = membership_number, postcode, iban\n{DELIVERED}",
        tmp_path,
    )
    number, postcode, iban = made["club"].fields
    assert number == FormField(
        name="membership_number", kind="digits", label="Membership", min_length=10, max_length=10,
        check="mod11", last_shown=3,
    )  # fmt: skip
    assert (postcode.min_length, postcode.max_length, postcode.last_shown) == (5, 5, 0)
    assert (iban.kind, iban.countries, iban.last_shown) == ("iban", ("DE", "AT"), 4)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[form x]\nfields = card_number, iban\n", "[form x] iban: expected countries"),
        ("[form x]\nfields = shoe_size\n", "[form x] fields: expected some of"),
        (f"[form x]\n{DELIVERED}", "[form x] result: expected charge, verify or token, since a card"),
        ("[form x]\nfields = postcode\n", "[form x] fields: expected card_number and expiry"),
        ("[form x]\nfields = card_number, expiry, postcode\n", "[form x] fields: expected no postcode"),
        ("[form x]\noptional = expiry\n", "[form x] optional: expected no card_number and no expiry"),
        ("[form x]\noptional = pin\n", "[form x] optional: expected some of card_number"),
        ("[form x]\nfields = postcode\nresult = deliver\n", "[form x] deliver_to: expected with result"),
        ("[form x]\ndeliver_to = crm\n", "[form x] deliver_to: expected with result"),
        (
            "[form x]\nfields = pin\nresult = deliver\ndeliver_to = other\n",
            "[form x] deliver_to: expected the name of a [provider] section with adapter = delivery",
        ),
        ("[form x]\nfields = pin, pin\n" + DELIVERED, "[form x] expected 1 to 12 fields, each once"),
        (
            "[field iban]\ncountries = DE, NL\n",
            "[field iban] countries: expected countries whose IBAN has no",
        ),
        (
            "[field iban]\ncountries = DE\n[field payee]\nkind = iban\ncountries = AT\n[form x]\n"
            f"fields = iban, payee\n{DELIVERED}",
            "[form x] fields: expected the same countries for each iban",
        ),
        ("[field iban]\ncountries = Germany\n", "[field iban] countries: expected country codes"),
        ("[field pin]\nlast_shown = 1\n", "[field pin] pin: expected none of its digits"),
        ("[field n]\nmin_length = 6\nmax_length = 6\nlast_shown = 4\n", "[field n] n: expected at most half"),
        ("[field n]\nmin_length = 9\nmax_length = 6\n", "[field n] max_length: expected no less than"),
        ("[field expiry]\nlabel = Date\n", "[field expiry] expiry: a card's fields are as they are"),
        ("[field n]\n", "[field n] n: expected 1 to 32 digits"),
        ("[field n-again]\nmin_length = 4\nmax_length = 4\n", "[field n-again] n_again: expected another"),
    ],
)
def test_what_does_not_go_together_is_told_with_its_key(text: str, fault: str, tmp_path: Path) -> None:
    found = faults(f"{CRM}[form]\n{text}", tmp_path)
    assert [line for line in found if line.startswith(fault)], found


def test_a_card_is_delivered_to_no_provider_of_another_kind(tmp_path: Path) -> None:
    text = "[form]\n[form x]\nfields = pin\nresult = deliver\ndeliver_to = default\n"
    assert any("deliver_to" in line for line in faults(text, tmp_path))


def test_fields_reach_the_signalling_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(
        f"{CRM}[field member-id]\nmin_length = 7\nmax_length = 7\n[form]\n[form x]\n"
        f"fields = member_id\n{DELIVERED}",
        tmp_path,
    )
    own = read_settings(file).signalling
    for name, value in own.environment().items():
        monkeypatch.setenv(name, value)
    assert build_forms(read_signalling({})) == build_forms(own)
    assert "field member-id" in own.fields
    assert read_file(file)["field member-id"]
