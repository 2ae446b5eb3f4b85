"""Model of `[access]`: where keys, people and their sessions are kept."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from b2bua.access.roles import Role
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

    totp_required: str = Field(
        "all",
        description="the roles of people that need an authenticator app beside a password, with spaces "
        "between; all, or none",
    )

    @field_validator("totp_required")
    @classmethod
    def _are_roles(cls, value: str) -> str:
        read_role_list(value)
        return value

    @property
    def needs_app(self) -> frozenset[Role]:
        """The roles that need an authenticator app."""
        return read_role_list(self.totp_required)

    @field_validator("directory")
    @classmethod
    def _is_absolute(cls, value: Path | None) -> Path | None:
        # Commands and the process start in different places.
        if value is not None and not value.is_absolute():
            raise ValueError("expected a path from the root, as /var/lib/tonewall/access")
        return value


def read_role_list(text: str) -> frozenset[Role]:
    """Read `supervisor administrator`, `all` or `none`. Raises ValueError."""
    if text.strip() in {"all", "none"}:
        return frozenset(Role) if text.strip() == "all" else frozenset()
    if not text.split() or set(text.split()) - set(Role):
        raise ValueError(f"expected all, none, or roles with spaces between, of {', '.join(Role)}")
    return frozenset(Role(each) for each in text.split())
