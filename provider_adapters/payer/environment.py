"""Reads the account from a payer's environment, in a few milliseconds where it is complete.

`settings.ProviderSettings` is what people write and what explains their mistakes; it costs some 100
ms of imports. The parent has done that already, so a payer takes the complete environment as it is,
and asks `settings` only to complete it or to say what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from provider_adapters.account import Account

PREFIX = "TONEWALL_PROVIDER_"


class BadAccount(Exception):
    """The settings are wrong: `str(error)` names section, key and what was expected, never a
    value."""


def read_account(environment: Mapping[str, str]) -> Account:
    """The account in TONEWALL_PROVIDER_*. Raises BadAccount."""
    try:
        return _read(environment)
    except msgspec.ValidationError:
        pass  # its text may quote a value
    # Not complete, or wrong: here, and only here, the slow way is worth its time.
    from provider_adapters.settings import ProviderSettings  # noqa: PLC0415
    from tonewall.ini import ConfigError, load, to_environment  # noqa: PLC0415

    try:
        return _read(to_environment(load(ProviderSettings, {}, environment)))
    except ConfigError as error:
        raise BadAccount(str(error)) from None


def _read(environment: Mapping[str, str]) -> Account:
    names = {name: PREFIX + name.upper() for name in Account.__struct_fields__}
    values = {name: environment[variable] for name, variable in names.items() if variable in environment}
    return msgspec.convert(values, Account, strict=False)
