"""The section `[provider]`: who charges the cards, and with whose credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, SecretStr

from provider_adapters.account import TokenType, https_url
from provider_adapters.registry import ADAPTERS
from tonewall.ini import Section


def _adapter(value: str) -> str:
    if value not in ADAPTERS:
        raise ValueError(f"expected one of {', '.join(ADAPTERS)}")
    return value


def _api_key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("expected printable ASCII without spaces")
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
