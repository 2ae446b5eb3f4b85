"""`tonewall user`: people who sign in by a name and a password of their own."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Annotated

import segno
import typer

from b2bua.access import authenticator_app, passwords
from b2bua.access.roles import parse_roles
from b2bua.access.users import BadUser, User, UserFile, check_user
from b2bua.commands.access_files import opened
from b2bua.commands.configuration import ConfigFile, give_up

app = typer.Typer(
    help="People who sign in by a password: add, list, disable, remove.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="What they sign in by.")]
Ask = Annotated[
    bool, typer.Option("--ask", help="Ask for the password on the terminal, instead of making one.")
]


@app.command("add")
def add_command(
    name: Name,
    role: Annotated[
        str, typer.Option(help="agent, supervisor, administrator, auditor; several joined by +.")
    ],
    team: Annotated[str, typer.Option(help="Their teams, with spaces between.")] = "",
    ask: Ask = False,
    config: ConfigFile = None,
) -> None:
    """Add somebody, and print a password that they must change as they sign in first."""
    with opened(config, UserFile, BadUser) as (people, audit, _):
        try:
            roles, teams = parse_roles(role), frozenset(team.split())
        except ValueError as error:
            give_up(f"--role: {error}")
        check_user(name, roles, teams)
        if people.find(name) is not None:
            raise BadUser("there is somebody of that name already")
        password = _new_password(name, ask=ask)
        with audit.noted("add_user", {"name": name, "role": role, "team": team}):
            people.add(name, roles, teams, passwords.hash_password(password))
        _print_password(password, ask=ask)


@app.command("password")
def password_command(name: Name, ask: Ask = False, config: ConfigFile = None) -> None:
    """Replace a password by one that must be changed, and end their sessions."""
    with opened(config, UserFile, BadUser) as (people, audit, _):
        people.get(name)
        password = _new_password(name, ask=ask)
        with audit.noted("reset_password", {"name": name}):
            people.set_password(name, passwords.hash_password(password), must_change=True)
        _print_password(password, ask=ask)


@app.command("totp")
def totp_command(
    name: Name,
    remove: Annotated[bool, typer.Option("--remove", help="Take it away.")] = False,
    config: ConfigFile = None,
) -> None:
    """Give somebody a secret for an authenticator app, shown once, and end their sessions."""
    with opened(config, UserFile, BadUser) as (people, audit, directory):
        people.get(name)
        secret = authenticator_app.make_secret()
        kept = None if remove else authenticator_app.encrypt(directory, name, secret)
        with audit.noted("remove_totp" if remove else "set_totp", {"name": name}):
            people.set_totp(name, kept)
        if remove:
            typer.echo(f"{name} has no authenticator app any more")
            return
        uri = authenticator_app.enrolment_uri(secret, name)
        if sys.stdout.isatty():
            segno.make(uri, error="m").terminal(compact=True)
        typer.echo(f"secret: {secret}\n{uri}")
        typer.echo("scan or type it into the app now; it is shown only now", err=True)


@app.command("list")
def list_command(
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List people: their roles and teams, and when they signed in last."""
    with opened(config, UserFile, BadUser) as (people, _, _):
        found = people.all()
    if as_json:
        sys.stdout.write(json.dumps([_as_json(each) for each in found], indent=1) + "\n")
        return
    for each in found:
        app_words = "app" if each.totp is not None else "no app"
        marks = ["disabled"] if each.disabled else []
        marks += ["must change the password"] if each.must_change else []
        teams = f" of {' '.join(sorted(each.teams))}" if each.teams else ""
        last = f"last signed in {_date(each.signed_in_at)}"
        typer.echo("  ".join([each.name, "+".join(sorted(each.roles)) + teams, app_words, last, *marks]))
    if not found:
        typer.echo("there is nobody; `tonewall user add` adds somebody")


@app.command("disable")
def disable_command(
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let them sign in again.")] = False,
    config: ConfigFile = None,
) -> None:
    """Let somebody sign in no more, and end their sessions at once."""
    with opened(config, UserFile, BadUser) as (people, audit, _):
        people.get(name)
        with audit.noted("enable_user" if undo else "disable_user", {"name": name}):
            people.set_disabled(name, not undo)
        typer.echo(f"{name} can sign in again" if undo else f"{name} can sign in no more")


@app.command("remove")
def remove_command(name: Name, config: ConfigFile = None) -> None:
    """Remove somebody, and end their sessions at once."""
    with opened(config, UserFile, BadUser) as (people, audit, _):
        people.get(name)
        with audit.noted("remove_user", {"name": name}):
            people.remove(name)
        typer.echo(f"{name} is removed")


@app.command("sign-out")
def sign_out_command(name: Name, config: ConfigFile = None) -> None:
    """End all sessions of a name, however they were begun; tokens stay valid."""
    with opened(config, UserFile, BadUser) as (people, audit, _):
        with audit.noted("sign_out_user", {"name": name}):
            people.sign_out(name)
        typer.echo(f"{name} is signed out everywhere")


def _new_password(name: str, *, ask: bool) -> str:
    if not ask:
        return passwords.make_password()
    password: str = typer.prompt("password", hide_input=True, confirmation_prompt=True, err=True)
    if (weakness := passwords.find_weakness(password, name)) is not None:
        raise BadUser(weakness)
    return password


def _print_password(password: str, *, ask: bool) -> None:
    if not ask:
        typer.echo(password)
    shown = "" if ask else "; it is shown only now"
    typer.echo(f"it must be changed at the first sign-in{shown}", err=True)


def _date(seconds: float | None) -> str:
    return "never" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _as_json(user: User) -> dict[str, object]:
    return {
        "name": user.name, "roles": sorted(user.roles), "teams": sorted(user.teams),
        "totp": user.totp is not None, "disabled": user.disabled, "must_change": user.must_change,
        "created_at": user.created_at, "password_at": user.password_at, "signed_in_at": user.signed_in_at,
    }  # fmt: skip
