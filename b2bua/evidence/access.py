"""Finds who may do what with a configuration: tokens, keys, people, certificates, and what an
identity provider may grant.

Rule 1: it reads. What it cannot read is an error, never a shorter list.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from b2bua.access import review
from b2bua.access.keys import KeyStore
from b2bua.access.review import Grant
from b2bua.access.roles import ALL_SCOPES, Role
from b2bua.access.store import FILE
from b2bua.access.teams import Teams
from b2bua.access.tokens import Tokens
from b2bua.access.users import UserFile
from b2bua.audit.chain import read_line
from b2bua.audit.reading import Unsealer
from b2bua.audit.verify import log_files, read_lines
from b2bua.config.settings import SignallingSettings
from b2bua.config.values import split_list


def list_access(settings: SignallingSettings, now: float) -> list[Grant]:
    """Who may do what, by their names. `now`: seconds since the epoch. Raises OSError and
    sqlite3.Error."""
    teams = Teams.parse(settings.api.teams)
    directory = settings.audit.directory
    entries, begin = _last_entries(directory) if directory is not None else ({}, "")
    return review.complete(_grants(settings, teams, now), entries, begin, now)


def _grants(settings: SignallingSettings, teams: Teams, now: float) -> Iterator[Grant]:
    api, access, oauth = settings.api, settings.access, settings.oauth
    tokens = Tokens.parse(api.tokens.get_secret_value(), api.roles)
    yield from (review.of_token(tokens.principal(name), teams) for name in api.agents)
    for header, client in settings.clients.items():
        if client.certificate:
            yield review.of_client(client.client(header.partition(" ")[2]))
    if oauth.issuer:
        integration = frozenset({Role.INTEGRATION})
        yield review.of_provider("(any client)", "oauth", oauth.issuer, integration, ALL_SCOPES)
        for theirs, _, ours in (each.rpartition(":") for each in split_list(oauth.roles)):
            yield review.of_provider(theirs, "oauth", oauth.issuer, frozenset({Role(ours)}))
    if settings.oidc.issuer:
        people = settings.oidc.people()
        for group, roles in people.roles.items():
            of_group = people.teams.get(group, ())
            yield review.of_provider(group, "oidc", settings.oidc.issuer, roles, teams=of_group)
    directory = access.directory
    if directory is None or not _is_there(directory):
        return
    with contextlib.closing(KeyStore(directory)) as keys:
        yield from filter(None, (review.of_key(each, teams, now) for each in keys.all()))
    with contextlib.closing(UserFile(directory)) as users:
        yield from (review.of_user(each, teams, access.needs_app) for each in users.all())


def _is_there(directory: Path) -> bool:
    """Whether keys and people are kept in it. Raises OSError where another user does."""
    if not (directory / FILE).exists():
        return False
    owner = directory.stat().st_uid
    if owner != os.geteuid():  # SQLite would leave files there that they cannot write
        why = f"it is another user's: run this as the user of Tonewall, as by sudo -u '#{owner}'"
        raise OSError(errno.EPERM, why, str(directory))
    return True


def _last_entries(directory: Path) -> tuple[dict[str, str], str]:
    """The time of each name's newest entry, and that of the oldest entry of all."""
    found: dict[str, str] = {}
    begin = ""
    unseal = Unsealer(directory)
    for path in log_files(directory):
        for octets in read_lines(path):
            try:
                line = read_line(octets.rstrip(b"\n"))
            except ValueError:
                continue  # the verification says so
            if line.entry is not None:
                entry = unseal(line.entry)
                begin = begin or entry.at
                found[entry.who] = entry.at
    unseal.close()
    return found, begin
