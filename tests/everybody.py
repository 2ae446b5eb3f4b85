"""Roles for tests that are not about roles: whoever has a token may do everything."""

from __future__ import annotations

from b2bua.access.roles import Role
from b2bua.access.tokens import Tokens

ROLES = f"*:{'+'.join(Role)}"  # for `[api] roles`


def everybody(tokens: str) -> list[Tokens]:
    """The authenticators of an app, from `name:token, name2:token2`."""
    return [Tokens.parse(tokens, ROLES)]
