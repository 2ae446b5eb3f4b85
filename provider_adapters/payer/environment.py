"""Reads the account from a payer's environment, in a few milliseconds where it is complete.

`settings.ProviderSettings` is what people write and what explains their mistakes; it costs some 100
ms of imports. The parent has done that already, so a payer takes the complete environment as it is,
and asks `settings` only to complete it or to say what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from provider_adapters.account import Account

_SECTION = "provider"
_DEFAULT = "default"  # as settings.provider_name, whose module takes long to load
_FLAGS = ("idempotent", "call_id")
_TRUTH = {"yes": "true", "no": "false"}  # as tonewall.ini.to_environment writes it


class BadAccount(Exception):
    """The settings are wrong: `str(error)` names section, key and what was expected, never a
    value."""


def read_accounts(environment: Mapping[str, str]) -> list[Account]:
    """The accounts in TONEWALL_PROVIDER_*, in the order of TONEWALL_SECTIONS; the first is the
    default. Raises BadAccount."""
    named = [" ".join(each.split()) for each in environment.get("TONEWALL_SECTIONS", "").split(",")]
    headers = [each for each in named if each.partition(" ")[0] == _SECTION] or [_SECTION]
    return [_read_section(environment, header) for header in headers]


def read_account(environment: Mapping[str, str]) -> Account:
    """The first of them. Raises BadAccount."""
    return read_accounts(environment)[0]


def _read_section(environment: Mapping[str, str], header: str) -> Account:
    try:
        return _read(environment, header)
    except msgspec.ValidationError:
        pass  # its text may quote a value
    # Not complete, or wrong: here, and only here, the slow way is worth its time.
    from provider_adapters.settings import ProviderSettings  # noqa: PLC0415
    from tonewall.ini import ConfigError, load, to_environment  # noqa: PLC0415

    try:
        return _read(to_environment(load(ProviderSettings, {}, environment, header=header), header), header)
    except ConfigError as error:
        raise BadAccount(str(error)) from None


def _read(environment: Mapping[str, str], header: str) -> Account:
    # As tonewall.ini.variable_name, whose module takes long to load.
    prefix = f"TONEWALL_{header.upper().replace('-', '_').replace(' ', '__')}_"
    names = {name: prefix + name.upper() for name in Account.__struct_fields__}
    values = {name: environment[variable] for name, variable in names.items() if variable in environment}
    values |= {name: _TRUTH.get(values[name], values[name]) for name in _FLAGS if name in values}
    return msgspec.convert(values | {"name": header.partition(" ")[2] or _DEFAULT}, Account, strict=False)
