"""`tonewall audit`: makes the key of an audit log, verifies one, and shows it. None of it needs a
running Tonewall."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from b2bua.audit.chain import read_line
from b2bua.audit.excerpt import verify_excerpt
from b2bua.audit.signing_key import make_key, read_public
from b2bua.audit.verify import log_files, verify
from b2bua.commands.configuration import give_up

app = typer.Typer(
    help="The audit log: make its key, verify it, show it.", no_args_is_help=True, rich_markup_mode=None
)
TAMPERED = 1
Directory = Annotated[Path, typer.Argument(help="The directory of the log.")]


@app.command("key")
def key_command(path: Annotated[Path, typer.Argument(help="The file to make, as audit.pem.")]) -> None:
    """Make the key that signs an audit log, and its public key beside it."""
    try:
        public = make_key(path)
    except FileExistsError:
        give_up(f"{path} or its public key is there already")
    except OSError as error:
        give_up(f"{path} cannot be written: {error.strerror}")
    typer.echo(f"{path}: the private key, for [audit] key_file")
    typer.echo(f"{public}: the public key, for whoever verifies; keep a copy elsewhere")


@app.command("verify")
def verify_command(
    directory: Directory,
    key: Annotated[Path, typer.Option(help="The public key.")],
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
    excerpt: Annotated[
        bool, typer.Option("--excerpt", help="It is the excerpt of an evidence pack: it may begin later.")
    ] = False,
) -> None:
    """Find every line that was changed, removed, moved or added. Status 1 if there is one."""
    try:
        report = (verify_excerpt if excerpt else verify)(directory, read_public(key))
    except (OSError, ValueError) as error:
        give_up(f"{key if isinstance(error, ValueError) else directory}: {error}")
    if not report.lines:
        give_up(f"there is no audit log in {directory}")
    if as_json:
        sys.stdout.write(json.dumps(msgspec.to_builtins(report), indent=1) + "\n")
    else:
        last = report.first + report.lines - 1
        typer.echo(
            f"{report.lines} lines, {report.first} to {last}, {report.entries} entries; "
            f"{report.unsigned} since the last checkpoint"
        )
        for each in report.findings:
            typer.echo(f"{each.file}{f', line {each.line}' if each.line else ''}: {each.what}")
        typer.echo("sound" if report.is_sound else "NOT sound: this log is not what was written")
    if not report.is_sound:
        raise typer.Exit(TAMPERED)


@app.command("show")
def show_command(
    directory: Directory,
    call: Annotated[str, typer.Option(help="Entries of this call only.")] = "",
    payment: Annotated[str, typer.Option(help="Entries of this payment only.")] = "",
    who: Annotated[str, typer.Option(help="Entries of this name only.")] = "",
) -> None:
    """Show entries, as JSON lines with their numbers. What stands there is not verified."""
    for path in log_files(directory):
        with path.open("rb") as file:
            for octets in file:
                try:
                    line = read_line(octets.rstrip(b"\n"))
                except ValueError:
                    typer.echo(f"{path.name}: a line that is none of an audit log", err=True)
                    continue
                entry = line.entry
                if entry is None:
                    continue
                wanted = ((call, entry.call), (payment, entry.payment), (who, entry.who))
                if all(not asked or asked == has for asked, has in wanted):
                    shown = {"number": line.number, **msgspec.to_builtins(entry)}
                    sys.stdout.write(json.dumps(shown, ensure_ascii=False) + "\n")
