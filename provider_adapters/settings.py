"""The section `[provider]`: who charges the cards, and with whose credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from provider_adapters.account import https_url
from provider_adapters.payment import TokenType
from provider_adapters.registry import ADAPTERS
from tonewall.ini import Section
from tonewall.secret_file import read_secret


def provider_name(header: str) -> str:
    """How routes, journal and metrics call the provider of this section; "default" where the
    section has no name."""
    return header.partition(" ")[2] or "default"


def _adapter(value: str) -> str:
    if value not in ADAPTERS:
        raise ValueError(f"expected one of {', '.join(ADAPTERS)}")
    return value


def _api_key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("expected printable ASCII without spaces")
    return value


def _name(value: str) -> str:
    if not value.isascii() or not value.isprintable() or ":" in value:
        raise ValueError("expected printable ASCII without a colon")
    return value


def _readable(value: Path | None) -> Path | None:
    if value is not None and not value.is_file():
        raise ValueError("expected a file that exists, in PEM format")
    return value


class ProviderSettings(Section):
    """`[provider]` of sip.conf, or TONEWALL_PROVIDER_*. Certificates are always verified: there is
    no key for that."""

    section: ClassVar[str] = "provider"

    adapter: Annotated[str, AfterValidator(_adapter)] = Field(
        default="connector", description="how the provider is spoken to"
    )
    url: Annotated[str, AfterValidator(https_url)] = Field(description="where it is, beginning with https://")
    api_key: Annotated[SecretStr, AfterValidator(_api_key)] = Field(description="the key that it gave you")
    api_key_file: Path | None = Field(
        default=None,
        description="the file in which the key stands; read at the start, and goes before api_key",
    )
    api_user: Annotated[str, AfterValidator(_name)] = Field(
        default="", description="what stands beside the key: user name or public key, where there is one"
    )
    merchant_account: str = Field(
        default="", max_length=80, description="for whom is charged, where the provider asks for that"
    )
    statement: str = Field(
        default="",
        max_length=22,
        description="what stands on the cardholder's statement, where it can be said",
    )
    ca_file: Annotated[Path | None, AfterValidator(_readable)] = Field(
        default=None, description="certificate authorities to trust instead of the public ones, as a PEM file"
    )
    timeout: float = Field(
        default=30.0,
        gt=0,
        le=120,
        description="seconds to wait for the answer to a charge, connecting included",
    )
    inquiry_time: float = Field(
        default=30.0,
        ge=0,
        le=300,
        description="seconds to ask on for a charge that got no clear answer",
    )
    token_type: TokenType = Field(
        default="none",
        description="what the provider shall return for later payments: none, one_time or reusable",
    )
    journal: Path = Field(
        default=Path("/var/lib/tonewall/journal.jsonl"),
        description="the file in which every charge is noted before it is sent; holds no card data",
    )
    ready: int = Field(default=2, ge=1, le=64, description="how many payer processes are kept ready")
    breaker_failures: int = Field(
        default=5, ge=0, description="faults in a row after which this provider is passed by; 0: never"
    )
    breaker_pause: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="seconds for which it is passed by, before one charge tries it",
    )

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Take the key out of its file, and the URL of a provider that has one for everybody."""
        file = values.get("api_key_file")
        if file:
            values = {**values, "api_key": read_secret(Path(file), "api_key_file")}
        row = ADAPTERS.get(values.get("adapter", "connector"))
        if row is not None and row.url:
            values = {"url": row.url, **values}
        if row is not None and row.test_url and not values.get("url"):
            raise ValueError(
                f"url: missing; {row.title}'s sandbox is at {row.test_url}, live has a URL of yours"
            )
        return values

    @model_validator(mode="after")
    def _check_needs(self) -> Self:
        row = ADAPTERS[self.adapter]
        for key, meaning in row.needs.items():
            if not getattr(self, key):
                raise ValueError(f"{key}: {row.title} needs it: {meaning}")
        return self
