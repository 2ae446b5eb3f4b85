"""`tonewall audit erase` and `tonewall audit token-key`: erases what is personal in entries of an
audit log; makes its key in a PKCS#11 token."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from b2bua.audit.handed_in import CommandLog, Details
from b2bua.audit.record_keys import FILE, RecordKeys
from b2bua.audit.signing_key import make_in_token
from b2bua.commands.audit import app
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.settings import load_settings
from b2bua.config.audit_log import build_command_log

__all__ = ["app"]


@app.command("erase")
def erase_command(
    directory: Annotated[Path, typer.Argument(help="The directory of the log.")],
    who: Annotated[str, typer.Option(help="Erase this name, and from where they acted.")] = "",
    call: Annotated[str, typer.Option(help="Erase this call, and who had to do with it.")] = "",
    before: Annotated[str, typer.Option(help="Erase what is older than this day, as 2026-12-31.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigFile = None,
) -> None:
    """Erase what is personal in entries, for good. The chain verifies as before, and says that it
    was done. With -c, the entry is written at once where no Tonewall runs."""
    if sum(map(bool, (who, call, before))) != 1:
        give_up("expected one of --who, --call and --before")
    if before and not _is_day(before):
        give_up("expected --before as a day: 2026-12-31")
    if not (directory / FILE).exists():
        give_up(f"no entry in {directory} can be erased: they were written without [audit] erasable")
    commands = _command_log(config, directory)
    keys = RecordKeys(directory)
    by: Details = {"by_name": int(bool(who)), "by_call": int(bool(call)), "before": before}
    try:
        count = keys.count(who=who, call=call, before=before)
        typer.echo(f"{count} record keys: a key is for a name, or for the call itself, on one call and day")
        if not count or not (yes or typer.confirm("Erase them? Nobody can read those entries' names again")):
            typer.echo("nothing is erased")
            return
        with commands.noted("erase_audit", {name: value for name, value in by.items() if value}) as details:
            details["keys"] = keys.erase(who=who, call=call, before=before)
    except OSError as error:
        give_up(f"{directory}: {error.strerror}")
    finally:
        keys.close()
    typer.echo("erased. Copies of record-keys.sqlite elsewhere, as in backups, are not")


@app.command("token-key")
def token_key_command(
    name: Annotated[str, typer.Argument(help="The key: pkcs11:token=…;object=…?module-path=…&pin-source=…")],
    public: Annotated[Path, typer.Argument(help="The file to make for the public key.")],
) -> None:
    """Make the key that signs an audit log in a token, unless it is there; write its public key."""
    try:
        made = make_in_token(name, public)
    except FileExistsError:
        give_up(f"{public} is there already")
    except (OSError, ValueError) as error:
        give_up(f"the key cannot be made: {error.strerror if isinstance(error, OSError) else error}")
    typer.echo(f"the token {'has made the key' if made else 'has such a key'}; it does not leave it")
    typer.echo(f"{public}: the public key, for whoever verifies; keep a copy elsewhere")


def _command_log(config: Path | None, directory: Path) -> CommandLog:
    if config is None:
        return CommandLog(directory)
    audit = load_settings(config).signalling.audit
    if audit.directory is None or audit.directory.resolve() != directory.resolve():
        give_up(f"[audit] directory of {config} is not {directory}")
    return build_command_log(audit)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
