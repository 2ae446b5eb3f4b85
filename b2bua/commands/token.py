"""`tonewall token`: keys of programs: make, list, replace and revoke them."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from b2bua.access.keys import DAY, DEFAULT_DAYS, BadKey, Key, KeyStore
from b2bua.access.roles import parse_roles, parse_scopes
from b2bua.commands.access_files import opened
from b2bua.commands.configuration import ConfigFile, give_up

app = typer.Typer(
    help="Keys of programs: make, list, replace, revoke.", no_args_is_help=True, rich_markup_mode=None
)
Wanted = Annotated[str, typer.Argument(metavar="KEY", help="The id of a key, or its name.")]
Expires = Annotated[str, typer.Option(help="Its life, as 90d or 12h; 365d at most.")]
_TIME = re.compile(r"([0-9]{1,5})([dh])")


@app.command("create")
def create_command(
    name: Annotated[str, typer.Option(help="What it is called in records and in the audit log.")],
    role: Annotated[str, typer.Option(help="integration, metrics or another; several joined by +.")],
    scope: Annotated[
        str, typer.Option(help='What an integration may do: "calls:read payments:take", or all.')
    ] = "",
    expires: Expires = f"{DEFAULT_DAYS}d",
    config: ConfigFile = None,
) -> None:
    """Make a key, and print it: this once, since it is kept nowhere."""
    with opened(config, KeyStore, BadKey) as (store, audit, _):
        try:
            roles, scopes = parse_roles(role), parse_scopes(scope) if scope else frozenset()
        except ValueError as error:
            give_up(str(error))
        with audit.noted("create_token", {"name": name, "role": role, "scope": scope, "expires": expires}):
            text, key = store.create(name, roles, scopes, _days(expires), _user())
        _print_new(text, key)


@app.command("list")
def list_command(
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Ended and revoked ones, too.")] = False,
) -> None:
    """List the keys: whose, what for, until when, and when they were used last."""
    with opened(config, KeyStore, BadKey) as (store, _, _):
        now = time.time()
        found = [each for each in store.all() if everything or each.is_valid(now)]
    if as_json:
        sys.stdout.write(json.dumps([_as_json(each, now) for each in found], indent=1) + "\n")
        return
    for each in found:
        used = _date(each.used_at) if each.used_at is not None else "never"
        what = " ".join([*sorted(each.roles), *sorted(each.scopes)])
        typer.echo(f"{each.id}  {each.name}  {what}  {_state(each, now)}  used {used}")
    if not found:
        typer.echo("there are no keys" if everything else "there are no valid keys; --all has the others")


@app.command("revoke")
def revoke_command(wanted: Wanted, config: ConfigFile = None) -> None:
    """Let a key open nothing from now on, in a running Tonewall too."""
    with opened(config, KeyStore, BadKey) as (store, audit, _):
        key = store.find(wanted)
        with audit.noted("revoke_token", {"key": key.id, "name": key.name}):
            store.revoke(key.id)
        typer.echo(f"{key.id} of {key.name} opens nothing any more")


@app.command("rotate")
def rotate_command(
    wanted: Wanted,
    expires: Expires = f"{DEFAULT_DAYS}d",
    keep: Annotated[str, typer.Option(help="How long the old one is still good, as 24h.")] = "24h",
    config: ConfigFile = None,
) -> None:
    """Make another key of the same name, roles and scopes; the old one ends a while later."""
    with opened(config, KeyStore, BadKey) as (store, audit, _):
        old = store.find(wanted)
        if not old.is_valid(time.time()):
            give_up(f"{old.id} has ended; make a new one with `tonewall token create`")
        with audit.noted("rotate_token", {"key": old.id, "name": old.name, "expires": expires}):
            text, key = store.create(old.name, old.roles, old.scopes, _days(expires), _user())
            store.revoke(old.id, time.time() + _days(keep) * DAY)
        _print_new(text, key)
        typer.echo(f"the old one, {old.id}, is good until {_date(store.find(old.id).expires_at)}", err=True)


def _days(text: str) -> float:
    match = _TIME.fullmatch(text)
    if match is None:
        give_up(f"{text}: expected days or hours, as 90d or 12h")
    return float(match[1]) / (1 if match[2] == "d" else 24)


def _user() -> str:
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _state(key: Key, now: float) -> str:
    if key.revoked_at is not None:
        return f"revoked {_date(key.revoked_at)}"
    return f"{'until' if key.is_valid(now) else 'ended'} {_date(key.expires_at)}"


def _as_json(key: Key, now: float) -> dict[str, object]:
    return {
        "id": key.id, "name": key.name, "roles": sorted(key.roles), "scopes": sorted(key.scopes),
        "created_at": key.created_at, "created_by": key.created_by, "expires_at": key.expires_at,
        "revoked_at": key.revoked_at, "used_at": key.used_at, "valid": key.is_valid(now),
    }  # fmt: skip


def _print_new(text: str, key: Key) -> None:
    typer.echo(text)
    typer.echo(
        f"key {key.id} of {key.name}, good until {_date(key.expires_at)}; it is shown only now", err=True
    )
