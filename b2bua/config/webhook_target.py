"""Model of the keys that name a service of the company's own, to which webhooks are sent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from b2bua.config.values import check_readable
from b2bua.notify.address import check_url
from b2bua.notify.sender import Sender
from b2bua.notify.signature import decode_secret
from tonewall.ini import ConfigError, Section
from tonewall.secret_file import read_secret


def _url(value: str) -> str:
    return check_url(value) if value else value


def _secret(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        decode_secret(value.get_secret_value())
    return value


class WebhookTarget(Section):
    """A section with a service: where it is, and how its webhooks are signed."""

    webhook_url: Annotated[str, AfterValidator(_url)] = Field(
        "", description="the URL of your own service that takes webhooks; https, or http on loopback"
    )
    webhook_secret: Annotated[SecretStr, AfterValidator(_secret)] = Field(
        SecretStr(""), description="the secret that its webhooks are signed with: whsec_ and base64"
    )
    webhook_secret_file: Path | None = Field(
        None,
        description="the file in which the secret stands; read at the start, and goes before webhook_secret",
    )
    ca_file: str = Field(
        "", description="certificate authorities to trust for it instead of the public ones, as a PEM file"
    )

    @field_validator("ca_file")
    @classmethod
    def _is_file(cls, value: str) -> str:
        return check_readable(value)

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Take the secret out of its file."""
        file = values.get("webhook_secret_file")
        if not file:
            return values
        return {**values, "webhook_secret": read_secret(Path(file), "webhook_secret_file")}

    def sender(self) -> Sender | None:
        """What sends to it, where there is one. Raises ConfigError where its certificate
        authorities cannot be used."""
        if not self.webhook_url:
            return None
        try:
            return Sender(self.webhook_url, self.webhook_secret.get_secret_value(), self.ca_file)
        except OSError:  # ssl.SSLError, too
            raise ConfigError(f"[{self.section}] ca_file: expected certificates, as a PEM file") from None

    def faults(self) -> list[str]:
        """What is missing, a line each."""
        if self.webhook_url and not self.webhook_secret.get_secret_value():
            return [
                f"[{self.section}] webhook_secret: expected whsec_ and base64, since webhook_url is given"
            ]
        return []
