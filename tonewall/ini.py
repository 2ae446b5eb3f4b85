"""Settings: INI sections and environment variables into typed models, with errors that say what to
do.

Every key `key` of section `[section]` is also the environment variable `TONEWALL_SECTION_KEY`,
which wins over the file. A model is one section. That is also how a parent hands a child its
sections, and no others.

Every secret may stand in a file instead, which a variable with `_FILE` behind that name names.
Where the model has a key `key_file`, that is its variable.

A section that may stand several times has a name of its own: `[section name]`,
`TONEWALL_SECTION__NAME_KEY`. Which there are besides the file's is in `TONEWALL_SECTIONS`, as
`section name` separated by commas, in order.
"""

from __future__ import annotations

import configparser
import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tonewall.secret_file import read_secret

PREFIX = "TONEWALL_"
NAMED = f"{PREFIX}SECTIONS"
FILE = "_FILE"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class ConfigError(Exception):
    """The configuration is wrong: `str(error)` names section, key and what was expected, a line
    each; never a value."""


class Section(BaseSettings):
    """Base of a section's model. Values come from the mapping given to `load`, already merged with
    the environment."""

    section: ClassVar[str]
    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


S = TypeVar("S", bound=Section)
Sections = Mapping[str, Mapping[str, str]]


def read_file(path: Path) -> dict[str, dict[str, str]]:
    """The file's sections, unchecked. Raises ConfigError where it cannot be read or is no INI
    file."""
    parser = configparser.ConfigParser(
        interpolation=None, strict=True, comment_prefixes=(";", "#"), inline_comment_prefixes=(";",)
    )
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'cannot be read'}; give a file with -c FILE") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a UTF-8 text file") from None
    except configparser.DuplicateOptionError as error:
        raise ConfigError(
            f"{path}:{error.lineno}: [{error.section}] {error.option}: given twice; keep one"
        ) from None
    except configparser.DuplicateSectionError as error:
        raise ConfigError(
            f"{path}:{error.lineno}: [{error.section}]: this section stands twice; join the two"
        ) from None
    except configparser.MissingSectionHeaderError as error:
        raise ConfigError(
            f"{path}:{error.lineno}: a key before any [section]; begin with [general]"
        ) from None
    except configparser.ParsingError as error:
        lines = ", ".join(str(number) for number, _ in error.errors)
        raise ConfigError(f"{path}: line {lines}: expected `key = value` or `[section]`") from None
    return {name: dict(parser[name]) for name in parser.sections()}


def check_names(
    sections: Sections, known: Mapping[str, type[Section]], several: frozenset[str] = frozenset()
) -> None:
    """Raise ConfigError for a section that nobody reads, with the nearest name that exists.
    `several`: the sections that may have a name of their own."""
    for header in sections:
        section, _, name = header.partition(" ")
        if section not in known:
            near = difflib.get_close_matches(section, known, 1)
            hint = (
                f"did you mean [{near[0]}]?"
                if near
                else f"expected one of {', '.join(f'[{k}]' for k in known)}"
            )
            raise ConfigError(f"[{header}]: unknown section; {hint}")
        if name and section not in several:
            raise ConfigError(f"[{header}]: there is one [{section}] only; take the name away")
        if name and not _NAME.fullmatch(name):
            raise ConfigError(f"[{header}]: expected a name of lower-case letters, digits and hyphens")


def headers(
    section: str, sections: Sections, environment: Mapping[str, str] | None = None, variable: str = NAMED
) -> list[str]:
    """The headers of a section that may stand several times, in the file's order, then those of the
    environment's `variable`."""
    environment = os.environ if environment is None else environment
    named = [" ".join(each.split()) for each in environment.get(variable, "").split(",")]
    return list(
        dict.fromkeys(header for header in [*sections, *named] if header.partition(" ")[0] == section)
    )


def load(
    model: type[S], sections: Sections, environment: Mapping[str, str] | None = None, *, header: str = ""
) -> S:
    """One section as its model, the environment winning over the file. Raises ConfigError with a
    line for each fault.

    `header`: which one, of a section that may stand several times.
    """
    environment = os.environ if environment is None else environment
    header = header or model.section
    values: dict[str, Any] = dict(sections.get(header, {}))
    for key in model.model_fields:
        variable = variable_name(header, key)
        if variable in environment:
            values[key] = environment[variable]
    for key in secret_keys(model):
        _take_from_file(model, header, key, values, environment)
    try:
        return model(**values)
    except ValidationError as error:
        faults = error.errors(include_input=False)
        raise ConfigError("\n".join(_explain(model, header, fault) for fault in faults)) from None


def secret_keys(model: type[Section]) -> list[str]:
    """The keys whose values are secrets."""
    return [key for key, field in model.model_fields.items() if field.annotation is SecretStr]


def doubled_secrets(
    models: Mapping[str, type[Section]], environment: Mapping[str, str] | None = None
) -> list[str]:
    """A line for each secret that stands in a variable and in the file of another. `models`: by
    their headers.

    It is for what people write: a parent hands a child both.
    """
    environment = os.environ if environment is None else environment
    names = [
        (header, key, variable_name(header, key)) for header in models for key in secret_keys(models[header])
    ]
    return [
        _doubled(header, key, name)
        for header, key, name in names
        if name in environment and name + FILE in environment
    ]


def _doubled(header: str, key: str, variable: str) -> str:
    return f"[{header}] {key}: {variable} and {variable}{FILE} are both given; keep one"


def _take_from_file(
    model: type[Section], header: str, key: str, values: dict[str, Any], environment: Mapping[str, str]
) -> None:
    """Complete `values` with the secret that stands in a file which the environment names."""
    variable = variable_name(header, key)
    has_key_of_its_own = f"{key}_file" in model.model_fields
    if variable + FILE not in environment:
        if has_key_of_its_own and variable in environment:
            values.pop(f"{key}_file", None)  # sip.conf's, over which the environment wins
        return
    if has_key_of_its_own:
        return
    if variable in environment:
        raise ConfigError(_doubled(header, key, variable))
    try:
        values[key] = read_secret(Path(environment[variable + FILE]), variable + FILE)
    except ValueError as error:
        raise ConfigError(f"[{header}] {key}: {error}") from None


def variable_name(header: str, key: str) -> str:
    """The environment variable of a key. Two underscores before a name: no key begins with one."""
    return f"{PREFIX}{header.upper().replace('-', '_').replace(' ', '__')}_{key.upper()}"


def to_environment(settings: Section, header: str = "") -> dict[str, str]:
    """The section as environment variables: how a parent hands it to a child. Secrets are in clear,
    as they must be."""
    values: dict[str, str] = {}
    for key in type(settings).model_fields:
        value = getattr(settings, key)
        if value is None:
            continue
        reveal = getattr(value, "get_secret_value", None)
        plain = reveal() if reveal else value
        values[variable_name(header or settings.section, key)] = (
            ("yes" if plain else "no") if isinstance(plain, bool)
            else ",".join(str(item) for item in plain) if isinstance(plain, tuple | list)
            else str(plain)
        )  # fmt: skip
    return values


def _explain(model: type[Section], header: str, fault: Mapping[str, Any]) -> str:
    if not fault["loc"]:  # a rule over several keys; its text begins with the key
        return f"[{header}] {str(fault['msg']).removeprefix('Value error, ')}"
    key = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, model.model_fields, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(model.model_fields)}"
        return f"[{header}] {key}: unknown key; {hint}"
    field = model.model_fields.get(key)
    about = f" ({field.description})" if field and field.description else ""
    problem = "missing" if fault["type"] == "missing" else str(fault["msg"]).removeprefix("Value error, ")
    return f"[{header}] {key}: {problem}{about}; or set {variable_name(header, key)}"
