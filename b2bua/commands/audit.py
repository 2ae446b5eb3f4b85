"""`tonewall audit`: makes the key of an audit log, verifies one, and shows it. None of it needs a
running Tonewall."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from b2bua.audit.chain import read_line
from b2bua.audit.copied import verify_copy
from b2bua.audit.entry import Entry
from b2bua.audit.excerpt import verify_excerpt
from b2bua.audit.masks import OFF, Mask, masks_of
from b2bua.audit.reading import Unsealer
from b2bua.audit.signing_key import make_key, read_public
from b2bua.audit.verify import log_files, verify
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.settings import load_settings
from b2bua.config.audit_log import digest

app = typer.Typer(
    help="The audit log: make its key, verify it, show it.", no_args_is_help=True, rich_markup_mode=None
)
TAMPERED = 1
Directory = Annotated[Path, typer.Argument(help="The directory of the log.")]
Call = Annotated[str, typer.Option(help="Of this call only.")]


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
    directory: Annotated[Path, typer.Argument(help="The directory of the log, or a file with a copy of it.")],
    key: Annotated[Path, typer.Option(help="The public key.")],
    head: Annotated[Path | None, typer.Option(help="Of a copy: the head.json that says its end.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
    excerpt: Annotated[
        bool, typer.Option("--excerpt", help="It is the excerpt of an evidence pack: it may begin later.")
    ] = False,
) -> None:
    """Find every line that was changed, removed, moved or added. Status 1 if there is one."""
    try:
        public = read_public(key)
        if excerpt:
            report = verify_excerpt(directory, public)
        elif directory.is_file():
            report = verify_copy(directory, public, head)
        else:
            report = verify(directory, public)
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
            + (f"; {report.repeated} came again" if report.repeated else "")
        )
        for each in report.findings:
            typer.echo(f"{each.file}{f', line {each.line}' if each.line else ''}: {each.what}")
        typer.echo("sound" if report.is_sound else "NOT sound: this log is not what was written")
    if not report.is_sound:
        raise typer.Exit(TAMPERED)


@app.command("show")
def show_command(
    directory: Directory,
    call: Call = "",
    payment: Annotated[str, typer.Option(help="Entries of this payment only.")] = "",
    who: Annotated[str, typer.Option(help="Entries of this name only.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines, with their numbers.")] = False,
) -> None:
    """Show entries, one a line. What stands there is not verified."""
    for number, entry in _entries(directory):
        wanted = ((call, entry.call), (payment, entry.payment), (who, entry.who))
        if all(not asked or asked == has for asked, has in wanted):
            shown = {"number": number, **msgspec.to_builtins(entry)}
            line = json.dumps(shown, ensure_ascii=False) if as_json else _as_text(number, entry)
            sys.stdout.write(line + "\n")


@app.command("masks")
def masks_command(
    directory: Directory,
    call: Call = "",
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False,
) -> None:
    """Show from when to when each call was masked, and what the mask kept from the agent. What
    stands there is not verified."""
    found = (each for each in _entries(directory) if not call or each[1].call == call)
    for mask in masks_of(found):
        sys.stdout.write((json.dumps(mask.as_json()) if as_json else mask.as_text()) + "\n")


@app.command("configuration")
def configuration_command(config: ConfigFile = None) -> None:
    """Print the digest that entries have while this sip.conf is in force."""
    typer.echo(digest(load_settings(config).signalling))


def _entries(directory: Path) -> Iterator[tuple[int, Entry]]:
    """With their numbers, and with what is sealed in them; a line that is none of a log is
    named."""
    unseal = Unsealer(directory)
    for path in log_files(directory):
        with path.open("rb") as file:
            for octets in file:
                try:
                    line = read_line(octets.rstrip(b"\n"))
                except ValueError:
                    typer.echo(f"{path.name}: a line that is none of an audit log", err=True)
                    continue
                if line.entry is not None:
                    yield line.number, unseal(line.entry)


def _as_text(number: int, entry: Entry) -> str:
    """An entry as people read it, in one line."""
    if entry.what == OFF:
        mask = Mask(entry.call, end_line=number, payment=entry.payment, end=entry.details)
        return f"{number} {entry.at} {entry.who}: {OFF}: {mask.as_text()}"
    named = (("call", entry.call), ("payment", entry.payment), ("from", entry.source))
    words = [f"{name} {value}" for name, value in named if value]
    words += [f"{name} {value}" for name, value in entry.details.items()]
    of = f" (of {entry.of})" if entry.of else ""
    said = f"; {', '.join(words)}" if words else ""
    return f"{number} {entry.at} {entry.who}: {entry.what} {entry.result.value}{of}{said}"
