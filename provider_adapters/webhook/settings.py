"""The section `[webhooks]`: where the provider's webhooks arrive, and by which secret they are
known."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, SecretStr, model_validator

from provider_adapters.webhook.scheme import SCHEMES, load_scheme
from tonewall.ini import Section
from tonewall.secret_file import read_secret


def _numeric(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("expected a numeric IP address") from None
    return value


def _readable(value: Path | None) -> Path | None:
    if value is not None and not value.is_file():
        raise ValueError("expected a file that exists, in PEM format")
    return value


class WebhookSettings(Section):
    """`[webhooks]` of sip.conf, or TONEWALL_WEBHOOKS_*."""

    section: ClassVar[str] = "webhooks"

    port: int = Field(
        default=0, ge=0, le=65535, description="the TCP port of the webhooks; 0: none are taken"
    )
    address: Annotated[str, AfterValidator(_numeric)] = Field(
        default="127.0.0.1", description="the numeric address on which the provider's webhooks arrive"
    )
    tls_certificate: Annotated[Path | None, AfterValidator(_readable)] = Field(
        default=None, description="our certificate chain, as a PEM file; none: a TLS proxy stands before it"
    )
    tls_key: Annotated[Path | None, AfterValidator(_readable)] = Field(
        default=None, description="its private key, as a PEM file, where it is not in the same"
    )
    secret: SecretStr = Field(
        default=SecretStr(""), description="the secret with which the provider signs its webhooks"
    )
    secret_file: Path | None = Field(
        default=None,
        description="the file in which the secret stands; read at the start, and goes before secret",
    )
    connections: int = Field(default=64, ge=4, le=4096, description="connections at once; more are closed")
    request_time: float = Field(
        default=10.0, gt=0, le=60, description="seconds that a request may take, TLS and answer included"
    )

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Take the secret out of its file."""
        file = values.get("secret_file")
        return {**values, "secret": read_secret(Path(file), "secret_file")} if file else values

    def faults(self, adapter: str, header: str = "webhooks") -> list[str]:
        """What is missing, and what does not fit the provider, a line each. `header`: of this
        section."""
        if not self.port:
            return []
        if adapter not in SCHEMES:
            return [
                f"[{header}] port: expected 0: of {adapter} no webhooks are read, but of {', '.join(SCHEMES)}"
            ]
        found = []
        wanted = load_scheme(adapter).check_secret(self.secret.get_secret_value())
        if wanted:
            found.append(f"[{header}] secret: {wanted}, since port is given")
        if self.tls_certificate is None and not ipaddress.ip_address(self.address).is_loopback:
            found.append(
                f"[{header}] tls_certificate: expected a PEM file, since address is not loopback; or "
                "loopback, with a TLS proxy before it"
            )
        return found
