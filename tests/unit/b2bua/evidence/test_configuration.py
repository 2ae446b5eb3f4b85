"""The configuration in an evidence pack: every key, and no secret of any section."""

from __future__ import annotations

import json
import typing

import pytest
from pydantic import SecretBytes, SecretStr

from b2bua.config.settings import SECTIONS
from b2bua.evidence.configuration import EMPTY, SET, describe_section
from tonewall.ini import Section

CANARY = "canary-6f1d0c"


def secret_keys(model: type[Section]) -> list[str]:
    return [name for name, field in model.model_fields.items() if _is_secret(field.annotation)]


def _is_secret(annotation: object) -> bool:
    return annotation in (SecretStr, SecretBytes) or any(map(_is_secret, typing.get_args(annotation)))


def construct(model: type[Section], **values: object) -> Section:
    """A section that nobody checked, with something in every key that must have a value."""
    given = {name: "x" for name, field in model.model_fields.items() if field.is_required()}
    return model.model_construct(**given | values)


SECRETS = [(model, key) for model in SECTIONS.values() for key in secret_keys(model)]


def test_there_are_secrets_to_look_for() -> None:
    found = {f"{model.section} {key}" for model, key in SECRETS}
    assert found >= {"api tokens", "carrier password", "provider api_key", "notify webhook_secret", "cdr url"}


@pytest.mark.parametrize(("model", "key"), SECRETS, ids=lambda each: getattr(each, "section", each))
def test_no_secret_is_shown(model: type[Section], key: str) -> None:
    described = describe_section(construct(model, **{key: SecretStr(CANARY)}))
    assert described[key] == SET
    assert CANARY not in json.dumps(described)
    assert describe_section(construct(model, **{key: SecretStr("")}))[key] == EMPTY


@pytest.mark.parametrize("model", SECTIONS.values(), ids=SECTIONS)
def test_every_key_of_a_section_is_shown(model: type[Section]) -> None:
    assert describe_section(construct(model)).keys() == model.model_fields.keys()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://me:{CANARY}@example.com/a", "https://(left out)@example.com/a"),
        (f"https://example.com/a?key={CANARY}", "https://example.com/a?(left out)"),
        (f"pkcs11:token=audit?pin-value={CANARY}", "pkcs11:token=audit?(left out)"),
        ("https://example.com/a@b", "https://example.com/a@b"),
        ("pbx/700", "pbx/700"),
    ],
)
def test_of_a_url_what_may_be_a_key_is_left_out(url: str, shown: str) -> None:
    model = SECTIONS["notify"]
    assert describe_section(model.model_construct(webhook_url=url))["webhook_url"] == shown
