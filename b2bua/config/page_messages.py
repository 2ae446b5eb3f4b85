"""Reads the sentences of Tonewall's pages, in each language, and those that a company has in their
place.

Rule 1: a language is a file `LANGUAGE.json` of sentences by name. A value stands in braces, as in
        `Charge {amount}`. A sentence that counts is an object, with a text for each plural form of
        the language (as Unicode has them).
Rule 2: a company's file has the shape of ours, and replaces single sentences: what it names is
        there, and has the same values and plural forms. Anything else is refused, before calls
        come.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

Message: TypeAlias = str | dict[str, str]
Messages: TypeAlias = Mapping[str, Message]

PLURALS: Final[Mapping[str, frozenset[str]]] = {
    "en": frozenset({"one", "other"}),
    "pl": frozenset({"one", "few", "many", "other"}),
    "de": frozenset({"one", "other"}),
    "fr": frozenset({"one", "many", "other"}),
    "es": frozenset({"one", "many", "other"}),
}
LANGUAGES: Final = tuple(PLURALS)
_LARGEST: Final = 256 * 1024  # bytes of a file
_LONGEST: Final = 1000  # characters of a text
_VALUE: Final = re.compile(r"\{([a-z_]{1,32})\}")


@cache
def shipped_messages() -> Mapping[str, Messages]:
    """Our own sentences, by language and name."""
    there = files("b2bua") / "api" / "web" / "messages"
    return {each: _decode((there / f"{each}.json").read_bytes()) for each in LANGUAGES}


def read_messages(directory: str) -> Mapping[str, Messages]:
    """The sentences, with those of the company's directory in their place; ours, where it is "".
    Raises ValueError, with file and name."""
    shipped = shipped_messages()
    if not directory:
        return shipped
    if not Path(directory).is_dir():
        raise ValueError("expected a directory that can be read")
    found: dict[str, Messages] = {}
    for path in sorted(Path(directory).glob("*.json")):
        if path.stem not in LANGUAGES:
            names = ", ".join(f"{each}.json" for each in LANGUAGES)
            raise ValueError(f"{path.name}: expected one of {names}")
        try:
            own = _decode(_read(path))
        except (OSError, ValueError) as error:
            raise ValueError(f"{path.name}: {error}") from error
        for fault in find_message_faults(own, shipped[path.stem], path.stem):
            raise ValueError(f"{path.name}: {fault}")
        found[path.stem] = own
    return {each: {**messages, **found.get(each, {})} for each, messages in shipped.items()}


def preferred_language(accepted: str) -> str:
    """The first language of an Accept-Language that there are sentences in (RFC 9110 section
    12.5.4), in the order in which browsers write them; else English."""
    wanted = (each.strip()[:2].lower() for each in accepted[:_LONGEST].split(","))
    return next((each for each in wanted if each in PLURALS), "en")


def sentences_of_reasons(messages: Mapping[str, Messages]) -> dict[str, dict[str, str]]:
    """For each reason of an outcome, its sentence by language, with `{}` in place of a number."""
    found: dict[str, dict[str, str]] = {}
    for language, sentences in messages.items():
        for name, text in sentences.items():
            room, _, word = name.partition(".")
            if room == "reason" and isinstance(text, str):
                found.setdefault(word, {})[language] = text.replace("{number}", "{}")
    return found


def check_messages(directory: str) -> str:
    """The directory as it is. Raises ValueError, as `read_messages`."""
    read_messages(directory)
    return directory


def find_message_faults(own: Messages, shipped: Messages, language: str) -> Iterator[str]:
    """What keeps sentences from standing in place of the shipped ones."""
    for name, message in own.items():
        if name not in shipped:
            near = difflib.get_close_matches(name[:64], shipped, 1)
            yield f"{name[:64]!r}: there is no such sentence{f'; perhaps {near[0]}' if near else ''}"
            continue
        ours = shipped[name]
        if isinstance(message, str) != isinstance(ours, str):
            forms = ", ".join(sorted(PLURALS[language]))
            yield f"{name}: expected {'a text' if isinstance(ours, str) else f'the plural forms {forms}'}"
        elif isinstance(message, dict) and set(message) != PLURALS[language]:
            yield f"{name}: expected the plural forms {', '.join(sorted(PLURALS[language]))}"
        else:
            yield from _faults_of_texts(name, message, values_of(ours))


def values_of(message: Message) -> frozenset[str]:
    """The values of a sentence, of any of its forms."""
    return frozenset(value for text in texts_of(message) for value in _VALUE.findall(text))


def texts_of(message: Message) -> list[str]:
    """The text of a sentence, or of each of its plural forms."""
    return [message] if isinstance(message, str) else list(message.values())


def _faults_of_texts(name: str, message: Message, expected: frozenset[str]) -> Iterator[str]:
    # "One key" needs no number.
    needed = expected if isinstance(message, str) else expected - {"count"}
    for text in texts_of(message):
        values = set(_VALUE.findall(text))
        if not text.strip() or len(text) > _LONGEST or not text.isprintable():
            yield f"{name}: expected a printable text of 1 to {_LONGEST} characters"
        elif missing := sorted(needed - values):
            yield f"{name}: expected the value {{{missing[0]}}} in it"
        elif strange := sorted(values - expected):
            yield f"{name}: there is no value {{{strange[0]}}} here"
        elif {"{", "}"} & set(_VALUE.sub("", text)):
            yield f"{name}: expected braces around values only"


def _decode(content: bytes) -> dict[str, Message]:
    try:
        return msgspec.json.decode(content, type=dict[str, str | dict[str, str]])
    except msgspec.MsgspecError as error:
        raise ValueError(f"expected sentences by name, as JSON: {error}") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"expected {_LARGEST} bytes at most")
    return content
