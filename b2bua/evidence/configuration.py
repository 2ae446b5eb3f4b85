"""Shows the settings in force without a secret.

Rule 1: what a model calls a secret is shown as set or empty, whatever it is.
Rule 2: of a URL, user, password and query are left out: keys are put there too.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import SecretBytes, SecretStr
from pydantic_core import to_jsonable_python

from b2bua.config.audit_log import digest
from b2bua.config.settings import Settings
from tonewall.ini import Section

SET: Final = "(secret: set)"
EMPTY: Final = "(secret: empty)"
LEFT_OUT: Final = "(left out)"
_USER = re.compile(r"(?<=://)[^/@?#]*@")
_QUERY = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*:[^?]*\?).+", re.DOTALL)


def describe_settings(settings: Settings) -> dict[str, Any]:
    """All sections by their headers, each with its keys and values; and the digest that entries of
    the audit log have."""
    return {
        "digest": digest(settings.signalling),
        "sections": {header: describe_section(section) for header, section in sections_of(settings)},
    }


def sections_of(holder: Any, header: str = "") -> Iterator[tuple[str, Section]]:
    """Every section below a dataclass of settings, with its header."""
    if isinstance(holder, Section):
        yield header or holder.section, holder
    elif isinstance(holder, Mapping):
        for name, each in holder.items():
            yield from sections_of(each, name)
    elif dataclasses.is_dataclass(holder):
        for field in dataclasses.fields(holder):
            yield from sections_of(getattr(holder, field.name))


def describe_section(section: Section) -> dict[str, Any]:
    """The keys of a section, with their values as JSON has them."""
    return {key: _describe(getattr(section, key)) for key in type(section).model_fields}


def _describe(value: Any) -> Any:
    match value:
        case SecretStr() | SecretBytes():
            return SET if len(value) else EMPTY
        case str():
            return _QUERY.sub(rf"\g<1>{LEFT_OUT}", _USER.sub(f"{LEFT_OUT}@", value))
        case dict():
            return {str(name): _describe(each) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_describe(each) for each in value]
        case bool() | int() | float() | None:
            return value
        case _:  # a path, a model of its own
            return _describe(to_jsonable_python(value, fallback=str))
