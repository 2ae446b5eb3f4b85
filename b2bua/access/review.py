"""Lists who may do what, for the review that somebody signs off (PCI DSS 7.2.4).

Rule 1: no token, nor a hash of one, is in a list.
Rule 2: a key that has expired stays in the list for a while, since a reviewer asks for it; it is no
        part of the digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from b2bua.access.certificates import Client
from b2bua.access.keys import DAY, Key
from b2bua.access.principal import Principal
from b2bua.access.roles import Role
from b2bua.access.teams import Teams
from b2bua.access.users import METHOD, User

UNUSED: Final = 90  # days without a sign of somebody, after which a reviewer is to ask
EXPIRED: Final = "expired"
DISABLED: Final = "disabled"
NO_APP: Final = "no authenticator app, which [access] totp_required asks for"
NOT_USED: Final = f"not used for {UNUSED} days"
# The use of these is seen by the audit log alone, which has only what changes something.
NO_ENTRY: Final = f"no entry in the audit log for {UNUSED} days"
_BY_THE_LOG_ALONE: Final = frozenset({"token", "certificate"})
_BY_PROVIDER: Final = "as the identity provider says"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody may do, and by what they are known. `credential`: which key, certificate or
    identity provider; `teams`: those that they lead, or are in; `made`: when, empty: nobody knows;
    `expires`: a day, or what ends it; empty: never; `used`: the newest sign of them; empty: none;
    `notes`: what a reviewer is to look at."""

    name: str
    method: str
    roles: tuple[str, ...]
    credential: str = ""
    scopes: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    made: str = ""
    expires: str = ""
    used: str = ""
    notes: tuple[str, ...] = ()


def of_token(principal: Principal, teams: Teams) -> Grant:
    """A token of sip.conf."""
    return Grant(
        name=principal.name,
        method=principal.method,
        roles=_sorted(principal.roles),
        scopes=_sorted(principal.scopes),
        teams=_sorted(teams.of(principal.name) | principal.teams),
    )


def of_key(key: Key, teams: Teams, now: float) -> Grant | None:
    """A key of a program; None where it was revoked, or has expired long ago."""
    if key.revoked_at is not None or now - key.expires_at > UNUSED * DAY:
        return None
    return Grant(
        name=key.name,
        method="key",
        credential=key.id,
        roles=_sorted(key.roles),
        scopes=_sorted(key.scopes),
        teams=_sorted(teams.of(key.name)),
        made=_time(key.created_at),
        expires=_time(key.expires_at)[:10],
        used=_time(key.used_at),
        notes=() if key.is_valid(now) else (EXPIRED,),
    )


def of_user(user: User, teams: Teams, needs_app: frozenset[Role]) -> Grant:
    """Somebody with a password here. `needs_app`: the roles that need an authenticator app."""
    notes: tuple[str, ...] = (DISABLED,) if user.disabled else ()
    if user.totp is None and user.roles & needs_app:
        notes += (NO_APP,)
    return Grant(
        name=user.name,
        method=METHOD if user.totp is None else f"{METHOD} and app",
        roles=_sorted(user.roles),
        teams=_sorted(teams.of(user.name) | user.teams),
        made=_time(user.created_at),
        used=_time(user.signed_in_at),
        notes=notes,
    )


def of_client(client: Client) -> Grant:
    """A program that is known by its certificate."""
    return Grant(
        name=client.name,
        method="certificate",
        credential=client.mark,
        roles=_sorted(client.roles),
        scopes=_sorted(client.scopes),
        expires="with its certificate",
    )


def of_provider(
    theirs: str,
    method: str,
    issuer: str,
    roles: frozenset[Role],
    scopes: Iterable[str] = (),
    teams: Iterable[str] = (),
) -> Grant:
    """Whoever an identity provider says has a role, or is in a group, of its own (`theirs`)."""
    return Grant(
        name=theirs,
        method=method,
        credential=issuer,
        roles=_sorted(roles),
        scopes=_sorted(scopes),
        teams=_sorted(teams),
        expires=_BY_PROVIDER,
    )


def complete(grants: Iterable[Grant], entries: Mapping[str, str], begin: str, now: float) -> list[Grant]:
    """The grants by their names, with the newest sign of each. `entries`: the time of each name's
    newest entry in the audit log; `begin`: that of its oldest entry; empty: it has none."""
    long_ago = _time(now - UNUSED * DAY)
    found = []
    for each in grants:
        used, notes = max(each.used, entries.get(each.name, "")), each.notes
        by_log = each.method in _BY_THE_LOG_ALONE
        since = used or (begin if by_log else each.made)
        if since and since < long_ago and not {EXPIRED, DISABLED} & set(notes):
            notes += (NO_ENTRY if by_log else NOT_USED,)
        found.append(msgspec.structs.replace(each, used=used, notes=notes))
    return sorted(found, key=lambda each: (each.name, each.method, each.credential))


def digest(grants: Iterable[Grant]) -> str:
    """SHA-256 over what was reviewed. When somebody was there last is no part of it."""
    kept = [
        msgspec.structs.replace(each, used="", notes=tuple(set(each.notes) & {DISABLED}))
        for each in grants
        if EXPIRED not in each.notes
    ]
    return hashlib.sha256(msgspec.json.encode(kept)).hexdigest()


def as_text(grant: Grant) -> str:
    """One line."""
    of = f" {grant.credential}" if grant.credential else ""
    words = [f"{grant.name}: {', '.join(grant.roles)}, by {grant.method}{of}"]
    if grant.scopes and Role.INTEGRATION in grant.roles:
        words.append(f"scopes {' '.join(grant.scopes)}")
    if grant.teams:
        words.append(f"teams {' '.join(grant.teams)}")
    if grant.expires != _BY_PROVIDER:
        words.append(f"expires {grant.expires}" if grant.expires else "never expires")
        words.append(f"last seen {grant.used}" if grant.used else "not seen yet")
    else:
        words.append(_BY_PROVIDER)
    words += [f"LOOK: {note}" for note in grant.notes]
    return "; ".join(words)


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _time(seconds: float | None) -> str:
    """RFC 3339, UTC, as in the audit log; empty where there is none."""
    if seconds is None:
        return ""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
