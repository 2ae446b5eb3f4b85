"""Model of `[access]`: where keys, people and their sessions are kept."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from tonewall.ini import Section


class AccessSettings(Section):
    """`[access]` of sip.conf."""

    section: ClassVar[str] = "access"

    directory: Path | None = Field(
        None,
        description="the directory of people, their sessions and programs' keys, on a local disk; empty: "
        "there are none",
    )
    session_life: float = Field(
        43_200.0, gt=0, le=43_200, description="seconds after which who has signed in must do so again"
    )

    @field_validator("directory")
    @classmethod
    def _is_absolute(cls, value: Path | None) -> Path | None:
        # Commands and the process start in different places.
        if value is not None and not value.is_absolute():
            raise ValueError("expected a path from the root, as /var/lib/tonewall/access")
        return value
