"""`tonewall cdr`: exports call detail records from the database, and deletes old ones."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn

import sqlalchemy
import typer
from rich.console import Console
from rich.progress import track
from sqlalchemy.exc import SQLAlchemyError

from b2bua.commands.configuration import give_up
from b2bua.config.cdr_settings import CdrSettings
from b2bua.records import export as out
from b2bua.records.payments import PaymentTable
from b2bua.records.store import StoreError, connect, prepare, prune
from tonewall.ini import FILE, ConfigError, load, read_file, variable_name

app = typer.Typer(help="Call detail records: export, prune.", no_args_is_help=True, rich_markup_mode=None)
ConfigFile = Annotated[
    Path | None,
    typer.Option("-c", "--config", help="sip.conf; without it, [cdr] comes from TONEWALL_CDR_* variables."),
]
_CONFIRMED = 1.0  # days: a prune that keeps less asks first
Day = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Calls started from / before then."),
]


@app.command("export")
def export_command(
    config: ConfigFile = None,
    form: Annotated[out.Format, typer.Option("--format", help="jsonl, json or csv.")] = out.Format.JSONL,
    since: Day = None,
    until: Day = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A file; without it, standard output.")
    ] = None,
) -> None:
    """Write the records of calls as JSON lines or CSV, oldest first. Days are local time; what is
    written is UTC."""
    settings = _load_cdr_settings(config)
    try:
        engine = _connect_database(settings)
        total = out.count(engine, since, until)
        found = out.lines(out.rows(engine, since, until), form)
        if output is None:
            sys.stdout.writelines(found)
        else:
            expected = total + form.frame
            with output.open("w", encoding="utf-8", newline="") as file:
                file.writelines(
                    track(found, "exporting", expected, console=Console(stderr=True), transient=True)
                )
            print(f"{total} calls written to {output}", file=sys.stderr)
    except (OSError, SQLAlchemyError) as error:
        _give_up_on(error)
    if settings.spool.is_file() and settings.spool.stat().st_size:
        print(f"tonewall: {settings.spool} holds records that are not in the database yet", file=sys.stderr)


@app.command("prune")
def prune_command(
    days: Annotated[float, typer.Option(min=0, help="Delete what ended longer ago than this.")],
    config: ConfigFile = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, whatever --days is.")] = False,
) -> None:
    """Delete old records and payments now. A running Tonewall does it by itself, by [cdr]
    retention."""
    settings = _load_cdr_settings(config)
    if days < _CONFIRMED and not yes:
        if not sys.stdin.isatty():
            give_up(f"--days {days:g} deletes nearly all records: say so with --yes")
        typer.confirm(
            f"This deletes all records but those of the last {days:g} days, and what shows that an order "
            "was charged."
            " Go on?",
            abort=True,
            err=True,
        )
    try:
        before = time.time() - days * 86_400
        print(f"{prune(_connect_database(settings), before)} calls deleted")
        if settings.payments_file.is_file():
            print(f"{_prune_payments(settings.payments_file, before)} payments deleted")
    except (OSError, SQLAlchemyError) as error:
        _give_up_on(error)


def _prune_payments(path: Path, before: float) -> int:
    """Delete payments that are final; their orders may be charged again. The number deleted."""
    try:
        with contextlib.closing(PaymentTable(path)) as table:
            return table.prune(before, time.time())
    except sqlite3.Error as error:
        give_up(f"[cdr] payments: {path} cannot be used ({error})")


def _load_cdr_settings(config: Path | None) -> CdrSettings:
    variable = variable_name("cdr", "url")
    if config is None and not {variable, variable + FILE} & os.environ.keys():
        give_up("which database? Give sip.conf with -c FILE, or its URL as TONEWALL_CDR_URL")
    try:
        return load(CdrSettings, read_file(config) if config else {})
    except ConfigError as error:
        give_up(str(error))


def _connect_database(settings: CdrSettings) -> sqlalchemy.Engine:
    try:
        engine = connect(settings.url.get_secret_value())
        prepare(engine)
    except StoreError as error:
        give_up(f"[cdr] url: {error}")
    return engine


def _give_up_on(error: Exception) -> NoReturn:
    """End the command without the error's text, which may quote the URL and its password."""
    if isinstance(error, BrokenPipeError):
        raise typer.Exit(0)
    what = (
        error.strerror if isinstance(error, OSError) else type(getattr(error, "orig", None) or error).__name__
    )
    give_up(f"the records' database or the output cannot be used ({what}); look at [cdr] url")
