"""What an agent's codes ask for."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from b2bua.call.agent_phone import AgentPhone, Claim
from b2bua.call.feature_codes import CodeView, Feature, FeatureCodes, FeatureRequest
from b2bua.config.feature_settings import FeatureCodeSettings
from tonewall.ini import load

USUAL = load(FeatureCodeSettings, {}).codes()


@pytest.mark.parametrize(
    ("code", "request_"),
    [
        ("1", FeatureRequest(Feature.START)),
        ("2", FeatureRequest(Feature.SUBMIT)),
        ("4", FeatureRequest(Feature.ASK)),
        ("43", FeatureRequest(Feature.ASK, 3)),
        ("40", FeatureRequest(Feature.UNKNOWN)),
        ("431", FeatureRequest(Feature.UNKNOWN)),
        ("0", FeatureRequest(Feature.CANCEL)),
        ("123456", FeatureRequest(Feature.LINK, short_code="123456")),
        ("1234", FeatureRequest(Feature.LINK, short_code="1234")),
        ("123", FeatureRequest(Feature.UNKNOWN)),
        ("5", FeatureRequest(Feature.PROTECT)),
        ("6", FeatureRequest(Feature.UNKNOWN)),
    ],
)
def test_a_code_asks_for_one_thing(code: str, request_: FeatureRequest) -> None:
    assert USUAL.read(code) == request_


def test_a_feature_without_a_code_cannot_be_keyed() -> None:
    codes = load(FeatureCodeSettings, {"feature_codes": {"ask": "", "start": ""}}).codes()
    assert {codes.read(code).feature for code in ("1", "4", "41")} == {Feature.UNKNOWN}


@pytest.mark.parametrize(
    "given",
    [
        {"start": "2"},
        {"start": "41"},
        {"ask": "123"},
        {"start": "*1"},
        {"start": "1234"},
        {"short_code": "7"},
    ],
)
def test_codes_that_could_be_confused_are_refused(given: dict[str, str]) -> None:
    values = {name: getattr(load(FeatureCodeSettings, {}), name) for name in FeatureCodeSettings.model_fields}
    with pytest.raises(ValidationError):
        FeatureCodeSettings.model_validate(values | given)


def test_no_code_is_in_a_representation() -> None:
    assert "123456" not in repr(FeatureCodes().read("123456"))


def test_another_telephone_is_linked_to_nobody_and_codes_are_counted_on() -> None:
    phone = AgentPhone(Claim(id="c", agent="anna"))
    assert phone.linked == ("anna", "c")
    phone.note_code(CodeView(feature=Feature.START))
    phone.replaced()
    assert (phone.linked, phone.newest) == (("", ""), None)
    phone.note_code(CodeView(feature=Feature.START))
    assert phone.newest == CodeView(feature=Feature.START, count=2)
