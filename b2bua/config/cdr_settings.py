"""Model of `[cdr]`: call records and the table of payments."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from b2bua.call.pseudonyms import read_keys
from tonewall.ini import Section


class CdrSettings(Section):
    """`[cdr]`: call detail records."""

    section: ClassVar[str] = "cdr"

    url: SecretStr = Field(
        SecretStr("sqlite:///cdr.sqlite"),
        description="the database: sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
    )
    spool: Path = Field(Path("cdr.spool"), description="the file in which records wait for the database")
    payments: Path | None = Field(
        None,
        description="the file of payments, SQLite on a local disk; empty: payments.sqlite beside the spool",
    )
    retention: float = Field(365.0, ge=0, description="days that a record is kept; 0 for ever")
    pseudonym_key_file: Path | None = Field(
        None,
        description="a file with a key a line, the newest first: customers' numbers are kept as pseudonyms",
    )

    @field_validator("pseudonym_key_file")
    @classmethod
    def _has_keys(cls, value: Path | None) -> Path | None:
        _read_keys(value)
        return value

    @property
    def pseudonym_keys(self) -> tuple[bytes, ...]:
        """The keys for pseudonyms of customers' numbers, the newest first."""
        return _read_keys(self.pseudonym_key_file)

    @property
    def payments_file(self) -> Path:
        """The file of payments, beside the spool where none is given."""
        return self.payments or self.spool.with_name("payments.sqlite")


def _read_keys(path: Path | None) -> tuple[bytes, ...]:
    """Raises ValueError."""
    if path is None:
        return ()
    try:
        return read_keys(path.read_text(encoding="ascii").splitlines())
    except (OSError, UnicodeDecodeError):
        raise ValueError("expected a file that can be read, with a key a line") from None
