"""Model of `[audit]`: the audit log."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from b2bua.audit.signing_key import read_private
from tonewall.ini import Section


class AuditSettings(Section):
    """`[audit]` of sip.conf."""

    section: ClassVar[str] = "audit"

    directory: Path | None = Field(
        None, description="the directory of the audit log, on a local disk; empty: none is kept"
    )
    key_file: Path | None = Field(
        None, description="the key that signs it, as `tonewall audit key` makes it (Ed25519, PEM)"
    )
    required: bool = Field(
        False, description="yes: no payment is started or charged while the log cannot be written"
    )
    retention: float = Field(
        400.0, ge=0, description="days that a file of the log is kept; 0 for ever. PCI DSS 10.5.1: a year"
    )

    @field_validator("key_file")
    @classmethod
    def _is_key(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                read_private(value)
            except OSError as error:
                raise ValueError(f"expected a file that can be read: {error.strerror}") from None
        return value

    def faults(self) -> list[str]:
        """What is missing, a line each."""
        if (self.directory is None) is not (self.key_file is None):
            return ["[audit] directory and key_file: expected both, or neither"]
        return []
