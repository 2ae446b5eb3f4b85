"""`tonewall access review`: lists who may do what, and notes who has reviewed it."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from typing import Annotated

import msgspec
import typer

from b2bua.access.review import Grant, as_text, digest
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.settings import load_settings
from b2bua.config.audit_log import build_command_log
from b2bua.config.settings import SignallingSettings
from b2bua.evidence.access import list_access

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
    """List who has which role, by what they are known, when they were seen last, and what to look
    at. With --sign-off, the review is an entry `review_access` of the audit log, with a digest of
    the list."""
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
    try:
        return list_access(settings, time.time())
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or str(error)
        give_up(f"{getattr(error, 'filename', None) or 'the audit log, or [access] directory'}: {why}")
