"""Lists who may do what, for the review that somebody signs off (PCI DSS 7.2.4).

Rule 1: no token, nor a hash of one, is in a list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from b2bua.access.principal import Principal
from b2bua.access.roles import Role
from b2bua.access.teams import Teams


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody may do, and by what they are known. `teams`: those that they lead, or are in;
    `expires`: a day; empty: never; `used`: their newest entry in the audit log, which has only what
    changes something; empty: none."""

    name: str
    method: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    expires: str = ""
    used: str = ""


def list_grants(principals: Iterable[Principal], teams: Teams, used: Mapping[str, str]) -> list[Grant]:
    """What these may do, by their names. `used`: the newest entry of each name."""
    found = [
        Grant(
            name=each.name,
            method=each.method,
            roles=tuple(sorted(each.roles)),
            scopes=tuple(sorted(each.scopes)),
            teams=tuple(sorted(teams.of(each.name) | each.teams)),
            used=used.get(each.name, ""),
        )
        for each in principals
    ]
    return sorted(found, key=lambda each: (each.name, each.method))


def digest(grants: Iterable[Grant]) -> str:
    """SHA-256 over what was reviewed. When somebody was there last is no part of it."""
    kept = [msgspec.structs.replace(each, used="") for each in grants]
    return hashlib.sha256(msgspec.json.encode(kept)).hexdigest()


def as_text(grant: Grant) -> str:
    """One line."""
    words = [f"{grant.name}: {', '.join(grant.roles)}, by {grant.method}"]
    if grant.scopes and Role.INTEGRATION in grant.roles:
        words.append(f"scopes {' '.join(grant.scopes)}")
    if grant.teams:
        words.append(f"teams {' '.join(grant.teams)}")
    words.append(f"expires {grant.expires}" if grant.expires else "never expires")
    words.append(f"last in the audit log {grant.used}" if grant.used else "not in the audit log")
    return "; ".join(words)
