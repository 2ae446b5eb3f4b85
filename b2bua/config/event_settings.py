"""Model of `[webhook NAME]`: a service of the company's own that gets the events of payments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, field_validator

from b2bua.call.webhook_kinds import choose
from b2bua.config.values import check_readable, split_list
from b2bua.notify.address import check_url
from b2bua.notify.signer import Signer
from tonewall.ini import Section
from tonewall.secret_file import read_secret


def _url(value: str) -> str:
    return check_url(value) if value else value


class EventWebhookSettings(Section):
    """`[webhook NAME]` of sip.conf."""

    section: ClassVar[str] = "webhook"

    url: Annotated[str, AfterValidator(_url)] = Field(
        "", description="the URL of your own service that gets the events; https, or http on loopback"
    )
    events: str = Field(
        "payment.*",
        description="of which kinds it gets events, separated by commas; payment.* and the like for several",
    )
    secret_file: Path | None = Field(
        None,
        description="the file with the key that they are signed by: whsec_ (HMAC) or whsk_ (Ed25519) and "
        "32 octets in base64",
    )
    ca_file: str = Field(
        "", description="certificate authorities to trust for it instead of the public ones, as a PEM file"
    )

    @field_validator("events")
    @classmethod
    def _are_events(cls, value: str) -> str:
        choose(split_list(value))
        return value

    @field_validator("secret_file")
    @classmethod
    def _has_key(cls, value: Path | None) -> Path | None:
        if value is not None:
            Signer(read_secret(value, "secret_file"))
        return value

    @field_validator("ca_file")
    @classmethod
    def _is_file(cls, value: str) -> str:
        return check_readable(value)

    @property
    def kinds(self) -> frozenset[str]:
        """The events that it gets."""
        return choose(split_list(self.events))

    def read_key(self) -> str:
        """The key that they are signed by. Raises ValueError, which quotes nothing of it."""
        assert self.secret_file is not None
        return read_secret(self.secret_file, "secret_file")


def webhook_name(header: str) -> str:
    """What a service is called, by the header of its section."""
    return header.partition(" ")[2]


def find_webhook_faults(webhooks: Mapping[str, EventWebhookSettings]) -> list[str]:
    """What does not fit together, a line each."""
    faults = []
    for header, each in webhooks.items():
        if not webhook_name(header):
            if each.url:
                faults.append(f"[{header}] url: expected a name in the header, as [webhook crm]")
            continue
        if not each.url:
            faults.append(f"[{header}] url: expected the URL of your own service")
        if each.secret_file is None:
            faults.append(f"[{header}] secret_file: expected, since events are signed")
    return faults
