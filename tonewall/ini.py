"""Settings: INI sections and environment variables into typed models, with errors that say what to do.

Every key `key` of section `[section]` is also the environment variable `TONEWALL_SECTION_KEY`, which wins over the
file. A model is one section. That is also how a parent hands a child its sections, and no others.
"""

from __future__ import annotations

import configparser
import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "TONEWALL_"


class ConfigError(Exception):
    """The configuration is wrong: `str(error)` names section, key and what was expected, a line each; never a value."""


class Section(BaseSettings):
    """Base of a section's model. Values come from the mapping given to `load`, already merged with the environment."""

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
    """The file's sections, unchecked. Raises ConfigError where it cannot be read or is no INI file."""
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
        raise ConfigError(f"{path}:{error.lineno}: [{error.section}] {error.option}: given twice; keep one") from None
    except configparser.DuplicateSectionError as error:
        raise ConfigError(
            f"{path}:{error.lineno}: [{error.section}]: this section stands twice; join the two"
        ) from None
    except configparser.MissingSectionHeaderError as error:
        raise ConfigError(f"{path}:{error.lineno}: a key before any [section]; begin with [general]") from None
    except configparser.ParsingError as error:
        lines = ", ".join(str(number) for number, _ in error.errors)
        raise ConfigError(f"{path}: line {lines}: expected `key = value` or `[section]`") from None
    return {name: dict(parser[name]) for name in parser.sections()}


def check_names(sections: Sections, known: Mapping[str, type[Section]]) -> None:
    """Raise ConfigError for a section that nobody reads, with the nearest name that exists."""
    for name in sections:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean [{near[0]}]?" if near else f"expected one of {', '.join(f'[{k}]' for k in known)}"
            raise ConfigError(f"[{name}]: unknown section; {hint}")


def load(model: type[S], sections: Sections, environment: Mapping[str, str] | None = None) -> S:
    """One section as its model, the environment winning over the file. Raises ConfigError with a line for each fault."""
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = dict(sections.get(model.section, {}))
    for key in model.model_fields:
        variable = variable_name(model.section, key)
        if variable in environment:
            values[key] = environment[variable]
    try:
        return model(**values)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(model, fault) for fault in error.errors(include_input=False))) from None


def variable_name(section: str, key: str) -> str:
    """The environment variable of a key."""
    return f"{PREFIX}{section.upper().replace('-', '_')}_{key.upper()}"


def to_environment(settings: Section) -> dict[str, str]:
    """The section as environment variables: how a parent hands it to a child. Secrets are in clear, as they must be."""
    values: dict[str, str] = {}
    for key in type(settings).model_fields:
        value = getattr(settings, key)
        if value is None:
            continue
        reveal = getattr(value, "get_secret_value", None)
        plain = reveal() if reveal else value
        values[variable_name(settings.section, key)] = (
            ("yes" if plain else "no") if isinstance(plain, bool)
            else ",".join(str(item) for item in plain) if isinstance(plain, tuple | list)
            else str(plain)
        )  # fmt: skip
    return values


def _explain(model: type[Section], fault: Mapping[str, Any]) -> str:
    if not fault["loc"]:  # a rule over several keys; its text begins with the key
        return f"[{model.section}] {str(fault['msg']).removeprefix('Value error, ')}"
    key = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, model.model_fields, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(model.model_fields)}"
        return f"[{model.section}] {key}: unknown key; {hint}"
    field = model.model_fields.get(key)
    about = f" ({field.description})" if field and field.description else ""
    problem = "missing" if fault["type"] == "missing" else str(fault["msg"]).removeprefix("Value error, ")
    return f"[{model.section}] {key}: {problem}{about}; or set {variable_name(model.section, key)}"
