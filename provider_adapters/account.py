"""The account with a provider, as a payer reads it from its environment in a few milliseconds.

`settings.ProviderSettings` is what people write and what explains their mistakes; it costs some 100
ms of imports. The parent has done that already, so a payer takes the complete environment as it is,
and only asks `settings` to complete it or to say what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

import msgspec

TokenType = Literal["none", "one_time", "reusable"]
PREFIX = "TONEWALL_PROVIDER_"


def https_url(value: str) -> str:
    """The base URL without its last slash. Raises ValueError, which names what was expected but not
    the value."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("expected a URL such as https://pay.example.com/") from None
    if parts.scheme != "https":
        raise ValueError("expected a URL that begins with https://; card data is never sent without TLS")
    if not host:
        raise ValueError("expected a host name after https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected no user name or password in the URL; credentials go into api_key")
    if parts.query or parts.fragment:
        raise ValueError("expected a base URL without ? or #")
    return value.rstrip("/")


class BadAccount(Exception):
    """The settings are wrong: `str(error)` names section, key and what was expected, never a
    value."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Where to charge, as whom, and how long to wait. Times are in seconds."""

    adapter: str
    url: str
    api_key: str
    journal: str
    timeout: float
    inquiry_time: float
    token_type: TokenType
    ca_file: str | None = None

    def __post_init__(self) -> None:
        https_url(self.url)

    def __repr__(self) -> str:
        return f"Account(adapter={self.adapter!r})"

    @property
    def patience(self) -> float:
        """Seconds after which a payer that was handed a charge must have answered, whatever
        happened."""
        return self.timeout + self.inquiry_time + 5.0


def from_environment(environment: Mapping[str, str]) -> Account:
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
