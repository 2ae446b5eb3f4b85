"""Model of `[audit]`: the audit log."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, SecretStr, field_validator, model_validator

from b2bua.audit.pkcs11_uri import module_environment
from b2bua.audit.signing_key import check_private
from b2bua.audit.syslog_target import read_address
from b2bua.config.values import check_readable
from b2bua.notify.address import check_url
from tonewall.ini import Section
from tonewall.secret_file import read_secret


class AuditSettings(Section):
    """`[audit]` of sip.conf."""

    section: ClassVar[str] = "audit"

    directory: Path | None = Field(
        None, description="the directory of the audit log, on a local disk; empty: none is kept"
    )
    key_file: Path | None = Field(
        None,
        description="the key that signs it, as `tonewall audit key` makes it (Ed25519): a PEM file, or "
        "pkcs11:… (RFC 7512)",
    )
    required: bool = Field(
        False, description="yes: no payment is started or charged while the log cannot be written"
    )
    erasable: bool = Field(
        False,
        description="yes: who, from where and on which call is sealed, so that `tonewall audit erase` can "
        "erase it",
    )
    syslog: str = Field(
        "", description="a syslog server that gets a copy of each line, over TLS: tls:HOST:PORT (RFC 5425)"
    )
    copy_to: str = Field(
        "", description="the URL of a service that gets a copy of each line; https, or http on loopback"
    )
    copy_token: SecretStr = Field(SecretStr(""), description="what that service wants as a Bearer token")
    copy_token_file: Path | None = Field(
        None, description="the file in which that token stands; read at the start, and goes before copy_token"
    )
    copy_ca: Path | None = Field(
        None,
        description="certificate authorities to trust for both instead of the public ones, as a PEM file",
    )
    copy_certificate: Path | None = Field(
        None, description="the certificate, PEM, by which both know this Tonewall"
    )
    copy_key: Path | None = Field(None, description="its key, PEM, where it is not in the same file")
    retention: float = Field(
        400.0, ge=0, description="days that a file of the log is kept; 0 for ever. PCI DSS 10.5.1: a year"
    )

    reports: Path | None = Field(
        None, description="the directory for reports of `tonewall self-test`, which evidence packs hold"
    )

    @field_validator("key_file")
    @classmethod
    def _is_key(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                check_private(value)
            except OSError as error:
                raise ValueError(f"expected a file that can be read: {error.strerror}") from None
        return value

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Take the token out of its file."""
        file = values.get("copy_token_file")
        return {**values, "copy_token": read_secret(Path(file), "copy_token_file")} if file else values

    @field_validator("syslog")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value:
            read_address(value)
        return value

    @field_validator("copy_to")
    @classmethod
    def _is_url(cls, value: str) -> str:
        return check_url(value) if value else value

    @field_validator("copy_ca", "copy_certificate", "copy_key")
    @classmethod
    def _is_file(cls, value: Path | None) -> Path | None:
        check_readable(str(value or ""))
        return value

    def module_environment(self) -> dict[str, str]:
        """Where the module of a token finds its configuration."""
        return module_environment(self.key_file or "")

    def faults(self) -> list[str]:
        """What is missing, a line each."""
        if (self.directory is None) is not (self.key_file is None):
            return ["[audit] directory and key_file: expected both, or neither"]
        if self.directory is None and (self.syslog or self.copy_to):
            return ["[audit] directory: expected one, since syslog or copy_to is given"]
        return []
