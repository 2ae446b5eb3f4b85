"""Says who somebody is here, by what the identity provider says of them: name, roles, teams.

Rule 1: who is in no group that has a role is nobody here.
Rule 2: a name that an audit log or a record could not hold is none; an address of mail that the
        provider has not verified is none either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from b2bua.access.oidc.refused import SignInRefused, Why
from b2bua.access.principal import Principal
from b2bua.access.roles import Role
from b2bua.call.unattended_view import UNATTENDED

METHOD: Final = "oidc"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class People:
    """`roles`, `teams`: by group; `groups_claim`, `name_claims`: where their groups and their name
    are, the first name that there is. A dot leads into an object: `realm_access.roles`."""

    roles: Mapping[str, frozenset[Role]]
    teams: Mapping[str, frozenset[str]]
    groups_claim: str
    name_claims: tuple[str, ...]

    def says_all(self, claims: Mapping[str, Any]) -> bool:
        """Whether these claims have groups and a name."""
        return _find(claims, self.groups_claim) is not None and bool(self._name(claims))

    def principal(self, claims: Mapping[str, Any]) -> Principal:
        """Who it is. Raises SignInRefused."""
        name = self._name(claims)
        if not name:
            raise SignInRefused(Why.NO_NAME)
        groups = _groups(_find(claims, self.groups_claim))
        roles = frozenset[Role]().union(*(self.roles.get(each, ()) for each in groups))
        if not roles:
            # More groups than fit into a token: Entra ID then says where they are, in _claim_names.
            detail = "groups_left_out" if self.groups_claim in claims.get("_claim_names", ()) else ""
            raise SignInRefused(Why.NO_ROLE, detail, name)
        teams = frozenset[str]().union(*(self.teams.get(each, ()) for each in groups))
        session = claims.get("sid")
        return Principal(
            name=name,
            roles=roles,
            method=METHOD,
            credential=credential_of(claims["sub"]),
            teams=teams,
            provider_session=session if isinstance(session, str) and len(session) <= 255 else "",
        )

    def _name(self, claims: Mapping[str, Any]) -> str:
        for each in self.name_claims:
            found = _find(claims, each)
            if each == "email" and claims.get("email_verified") is not True:
                continue
            if isinstance(found, str) and _NAME.fullmatch(found) and found != UNATTENDED:
                return found
        return ""


def credential_of(subject: str) -> str:
    """The credential of whom the provider calls this."""
    return f"{METHOD}:{subject}"


def _find(claims: Mapping[str, Any], path: str) -> object:
    if path in claims:
        return claims[path]
    found: object = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _groups(found: object) -> frozenset[str]:
    if isinstance(found, str):
        return frozenset({found})
    return (
        frozenset(each for each in found if isinstance(each, str)) if isinstance(found, list) else frozenset()
    )
