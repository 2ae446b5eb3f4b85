"""The sentences of the pages: whole in every language, and replaced by a company's own where they
fit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from b2bua.api.pages import load_pages
from b2bua.config.page_messages import (
    LANGUAGES,
    PLURALS,
    Message,
    preferred_language,
    read_messages,
    sentences_of_reasons,
    shipped_messages,
    texts_of,
    values_of,
)
from b2bua.config.settings import ApiSettings

ENGLISH = shipped_messages()["en"]
PLAIN = "order.take"
VALUED = "keying.charge"
COUNTED = "banner.dropped"


def write(directory: Path, messages: object, name: str = "de.json") -> str:
    (directory / name).write_text(messages if isinstance(messages, str) else json.dumps(messages))
    return str(directory)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_sentence_with_its_values_and_plural_forms(language: str) -> None:
    messages = shipped_messages()[language]
    assert list(messages) == list(ENGLISH)
    for name, message in messages.items():
        assert values_of(message) == values_of(ENGLISH[name]), name
        assert isinstance(message, dict) == isinstance(ENGLISH[name], dict), name
        if isinstance(message, dict):
            assert set(message) == PLURALS[language], name
        for text in texts_of(message):
            assert text.strip(), name
            assert text.isprintable(), name
            assert "  " not in text, name
            assert text.replace("{", "").count("}") == sum(
                text.count(f"{{{each}}}") for each in values_of(message)
            )


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_a_sentence_is_translated(language: str) -> None:
    messages = shipped_messages()[language]
    same = [name for name, message in messages.items() if message == ENGLISH[name] and " " in str(message)]
    # Names of the field, and what has no word in it.
    assert [name for name in same if name not in ALIKE] == []


ALIKE = {
    "sign_in.seconds", "sign_in.minutes", "fact.payment_value", "field.sort_code", "field.routing_number",
}  # fmt: skip


def test_a_companys_sentence_stands_in_place_of_ours(tmp_path: Path) -> None:
    own: dict[str, Message] = {
        PLAIN: "Karte abfragen",
        COUNTED: {"one": "Eine Taste verworfen.", "other": "{count} Tasten verworfen."},
        "reason.declined": "Die Bank lehnt ab.",
    }
    messages = read_messages(write(tmp_path, own))
    assert {name: messages["de"][name] for name in own} == own
    assert messages["de"]["order.amount"] == "Betrag"
    assert messages["fr"] == shipped_messages()["fr"]
    assert sentences_of_reasons(messages)["declined"]["de"] == "Die Bank lehnt ab."
    served = load_pages(messages, "de")
    assert json.loads(served["/messages/de.json"].body)[PLAIN] == "Karte abfragen"
    assert b'<meta name="language" content="de">' in served["/"].body
    assert shipped_messages()["de"][PLAIN] != "Karte abfragen"


@pytest.mark.parametrize(
    ("messages", "fault"),
    [
        ({"order.tak": "x"}, "de.json: 'order.tak': there is no such sentence; perhaps order.take"),
        ({"zzz": "x"}, "de.json: 'zzz': there is no such sentence"),
        ({VALUED: "Belasten"}, "de.json: keying.charge: expected the value {amount} in it"),
        ({VALUED: "{amount} {card}"}, "de.json: keying.charge: there is no value {card} here"),
        ({VALUED: "{amount} {"}, "de.json: keying.charge: expected braces around values only"),
        ({COUNTED: "{count}"}, "de.json: banner.dropped: expected the plural forms one, other"),
        ({COUNTED: {"other": "{count}"}}, "de.json: banner.dropped: expected the plural forms one, other"),
        ({PLAIN: {"one": "a", "other": "b"}}, "de.json: order.take: expected a text"),
        ({PLAIN: " "}, "de.json: order.take: expected a printable text of 1 to 1000 characters"),
        ({PLAIN: "a\nb"}, "de.json: order.take: expected a printable text of 1 to 1000 characters"),
        ({PLAIN: "a" * 1001}, "de.json: order.take: expected a printable text of 1 to 1000 characters"),
        ({PLAIN: 7}, "de.json: expected sentences by name, as JSON"),
        ("{", "de.json: expected sentences by name, as JSON"),
        (" " * 300_000, "de.json: expected 262144 bytes at most"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_name(tmp_path: Path, messages: object, fault: str) -> None:
    directory = write(tmp_path, messages)
    with pytest.raises(ValueError, match="^" + re.escape(fault)):
        read_messages(directory)
    with pytest.raises(ValueError, match=r"messages"):
        ApiSettings.model_validate({"tokens": "ann:0123456789abcdef", "messages": directory})


def test_a_file_of_another_language_and_a_directory_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a directory that can be read"):
        read_messages(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"it\.json: expected one of en\.json, pl\.json"):
        read_messages(write(tmp_path, {}, "it.json"))


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("pl-PL,pl;q=0.9,en;q=0.8", "pl"), ("FR", "fr"), ("it, es-AR;q=0.7", "es"), ("", "en"),
        ("it", "en"), (",,;q", "en"), ("x" * 100_000 + ",pl", "en"),
    ],
)  # fmt: skip
def test_the_language_of_a_browser_is_the_first_that_there_is(accepted: str, language: str) -> None:
    assert preferred_language(accepted) == language
