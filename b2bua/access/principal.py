"""Names who asks, and how that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from b2bua.access.roles import Role, Scope

NO_NAME: Final = ""
EMBED: Final = "embed"  # the `method` of who shows the token of an embedded form


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or a program that was authenticated.

    `name`: as it stands in records and in the audit log; `method`: how it is known, such as
    "token", "key", "certificate", "password", "oidc" or "embed"; `credential`: which of them,
    without a secret, so that it can be revoked; `teams`: those that a supervisor leads or an agent
    is in, by their credential; `expires_at`: seconds since the epoch, None: never;
    `provider_session`: what the identity provider calls the session in which they signed in there;
    `only_call`: the id of the only call that they reach; empty: no such limit.
    """

    name: str
    roles: frozenset[Role]
    scopes: frozenset[Scope] = frozenset()
    method: str = "token"
    credential: str = ""
    teams: frozenset[str] = field(default_factory=frozenset)
    expires_at: float | None = None
    provider_session: str = ""
    only_call: str = ""


class Authenticator(Protocol):
    """One way of telling who asks."""

    async def authenticate(self, scope: Mapping[str, Any]) -> Principal | None:
        """Who sent this request (an ASGI scope); None where it has no valid credential of this
        kind."""
        ...

    def holds(self, principal: Principal) -> bool:
        """Whether what this authenticator said of a principal is still so: neither expired nor
        revoked. True for those of others. Asked at each event of a feed."""
        ...
