"""The section `[provider]`: who charges the cards, or takes what else is keyed, and with whose
credentials."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from provider_adapters.account import https_url
from provider_adapters.payment import TokenType
from provider_adapters.registry import ADAPTERS
from tonewall.ini import Section
from tonewall.secret_file import read_secret

_KEY_EXPECTED = "expected printable ASCII without spaces"
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")  # RFC 9110 section 5.6.2
_OUR_HEADERS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host"}
    | {"idempotency-key", "transfer-encoding", "user-agent"}
)
_MAX_KEY = 16_384  # characters
_OWN_SERVICE = ("encryption_key", "key_header", "idempotent", "call_id")


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
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(_KEY_EXPECTED)
    return value


def _header(value: str) -> str:
    if value and (not _TOKEN.fullmatch(value) or value.lower() in _OUR_HEADERS):
        raise ValueError("expected the name of a header that Tonewall does not write itself")
    return value


def _name(value: str) -> str:
    if not value.isascii() or not value.isprintable() or ":" in value:
        raise ValueError("expected printable ASCII without a colon")
    return value


def _readable(value: Path | None) -> Path | None:
    if value is not None and not value.is_file():
        raise ValueError("expected a file that exists, in PEM format")
    return value


def _read_key(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            text = file.read(_MAX_KEY)
    except (OSError, UnicodeDecodeError):
        raise ValueError("encryption_key_file: expected a file that can be read, in PEM or a JWK") from None
    # Without a key the fields would leave as plain JSON.
    if not text.strip():
        raise ValueError("encryption_key_file: expected a key, in PEM or a JWK; the file is empty")
    return text


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
    tls_certificate: Annotated[Path | None, AfterValidator(_readable)] = Field(
        default=None, description="the certificate by which it knows us, as a PEM file, where it wants one"
    )
    tls_key: Annotated[Path | None, AfterValidator(_readable)] = Field(
        default=None, description="its key, as a PEM file without a password"
    )
    encryption_key: str = Field(
        default="", description="of adapter = delivery: the service's public key, as a JWK in one line"
    )
    encryption_key_file: Path | None = Field(
        default=None, description="the file with that key, as PEM or JWK; goes before encryption_key"
    )
    key_header: Annotated[str, AfterValidator(_header)] = Field(
        default="", description="of adapter = delivery: the header for api_key, instead of Authorization"
    )
    idempotent: bool = Field(
        default=False,
        description="of adapter = delivery: yes where the service takes each Idempotency-Key once; what "
        "got no answer is sent again then",
    )
    call_id: bool = Field(
        default=False, description="of adapter = delivery: yes or no: the service is told the call's id"
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
        file = values.get("encryption_key_file")
        if file:
            values = {**values, "encryption_key": _read_key(Path(file))}
        row = ADAPTERS.get(values.get("adapter", "connector"))
        if row is not None and row.is_own_service:
            values = {"api_key": "", **values}
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
        if not row.is_own_service and not self.api_key.get_secret_value():
            raise ValueError(f"api_key: {_KEY_EXPECTED}")
        return self

    @model_validator(mode="after")
    def _check_encryption(self) -> Self:
        if self.encryption_key:
            # Only here: loading it takes long, and most have no use for it.
            from provider_adapters.jwe import read_public_key  # noqa: PLC0415

            try:
                read_public_key(self.encryption_key)
            except ValueError as error:
                key = "encryption_key_file" if self.encryption_key_file else "encryption_key"
                raise ValueError(f"{key}: {error}") from None
        return self

    def describe_encryption(self) -> str:
        """The kind of the key that bodies are encrypted to, its algorithm and its id; empty where
        there is none."""
        if not self.encryption_key:
            return ""
        from provider_adapters.jwe import read_public_key  # noqa: PLC0415 - as above

        key = read_public_key(self.encryption_key)
        return f"{key.kind}, {key.algorithm} ({key.key_id})"

    def faults(self, header: str) -> list[str]:
        """Keys that do not go together, a line each."""
        found = []
        if not ADAPTERS[self.adapter].is_own_service:
            found = [
                f"[{header}] {key}: expected with adapter = delivery alone"
                for key in _OWN_SERVICE
                if getattr(self, key)
            ]
        if self.tls_key and not self.tls_certificate:
            found.append(f"[{header}] tls_certificate: expected a PEM file, since tls_key is given")
        if self.key_header and self.api_user:
            found.append(f"[{header}] api_user: expected none beside key_header")
        return found
