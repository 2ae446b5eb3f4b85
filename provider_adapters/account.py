"""Describes the account with a provider: where a payer charges, and with whose credentials."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from provider_adapters.payment import TokenType


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


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Where to charge, as whom, and how long to wait. Times are in seconds.

    `name`: of the provider's section; the adapter's where it has none. `api_user`: what stands
    beside the key where a provider has two words (user name, public key). `merchant_account`: for
    whom, where one key is good for several. `statement`: what stands on the cardholder's statement.
    `breaker_failures`: faults in a row after which the provider is passed by for `breaker_pause`
    seconds; 0: never. `tls_certificate`, `tls_key`: PEM files by which we prove who we are. Of a
    company's own service alone: `encryption_key`: its public key, as PEM or JWK; `key_header`: the
    header of `api_key`; `idempotent`: it takes an idempotency key once; `call_id`: it is told the
    call's."""

    adapter: str
    name: str = ""
    url: str
    api_key: str
    journal: str
    timeout: float
    inquiry_time: float
    token_type: TokenType
    ca_file: str | None = None
    api_user: str = ""
    merchant_account: str = ""
    statement: str = ""
    breaker_failures: int = 5
    breaker_pause: float = 30.0
    tls_certificate: str | None = None
    tls_key: str | None = None
    encryption_key: str = ""
    key_header: str = ""
    idempotent: bool = False
    call_id: bool = False

    def __post_init__(self) -> None:
        https_url(self.url)

    def __repr__(self) -> str:
        return f"Account(adapter={self.adapter!r})"

    @property
    def patience(self) -> float:
        """Seconds after which a charge here must be over, whatever happened."""
        return patience([self])


def patience(accounts: Sequence[Account]) -> float:
    """Seconds after which a payer that was handed a charge must have answered, whatever happened,
    and at however many of these providers it tried."""
    return sum(each.timeout + each.inquiry_time for each in accounts) + 5.0
