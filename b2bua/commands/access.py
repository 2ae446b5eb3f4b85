"""`tonewall access review`: lists who may do what, and notes who has reviewed it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from b2bua.access.review import Grant, as_text, digest, list_grants
from b2bua.access.teams import Teams
from b2bua.api.auth import Tokens
from b2bua.audit.chain import read_line
from b2bua.audit.reading import Unsealer
from b2bua.audit.verify import log_files, read_lines
from b2bua.commands.configuration import ConfigFile, give_up, load_settings
from b2bua.config.audit_log import build_command_log
from b2bua.config.settings import SignallingSettings

app = typer.Typer(help="Who may do what.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def access() -> None:
    """Who may do what."""


@app.command("review")
def review_command(
    config: ConfigFile = None,
    sign_off: Annotated[
        str, typer.Option("--sign-off", help="The name of who has reviewed the list; it is noted.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False,
) -> None:
    """List who has which role, and when they were last seen in the audit log. With --sign-off, the
    review is an entry `review_access` of that log, with a digest of the list."""
    settings = load_settings(config).signalling
    grants = _grants(settings)
    for each in grants:
        sys.stdout.write((json.dumps(msgspec.to_builtins(each)) if as_json else as_text(each)) + "\n")
    of = digest(grants)
    if not as_json:
        typer.echo(f"{len(grants)} in all; digest {of}")
    if not sign_off:
        return
    if settings.audit.directory is None:
        give_up("nothing is signed off: there is no audit log. Set [audit] directory and key_file")
    try:
        with build_command_log(settings.audit).noted(
            "review_access", {"grants": len(grants), "digest": of}, who=sign_off
        ):
            pass
    except OSError as error:
        give_up(f"nothing is signed off: {settings.audit.directory}: {error.strerror}")
    typer.echo(f"signed off by {sign_off}", err=as_json)


def _grants(settings: SignallingSettings) -> list[Grant]:
    api = settings.api
    tokens = Tokens.parse(api.tokens.get_secret_value(), api.roles)
    directory = settings.audit.directory
    try:
        used = _last_entries(directory) if directory is not None else {}
    except OSError as error:
        give_up(f"{directory}: {error.strerror}")
    return list_grants([tokens.principal(name) for name in api.agents], Teams.parse(api.teams), used)


def _last_entries(directory: Path) -> dict[str, str]:
    """The time of each name's newest entry."""
    found: dict[str, str] = {}
    unseal = Unsealer(directory)
    for path in log_files(directory):
        for octets in read_lines(path):
            try:
                line = read_line(octets.rstrip(b"\n"))
            except ValueError:
                continue  # the verification says so
            if line.entry is not None:
                entry = unseal(line.entry)
                found[entry.who] = entry.at
    unseal.close()
    return found
