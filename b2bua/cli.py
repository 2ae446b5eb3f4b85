"""Runs the `tonewall` command."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from b2bua.api.auth import first_clear_token
from b2bua.commands import access as cli_access
from b2bua.commands import audit_erase as cli_audit
from b2bua.commands import cdr as cli_cdr
from b2bua.commands import evidence as cli_evidence
from b2bua.commands import files as cli_files
from b2bua.commands import ladder as cli_ladder
from b2bua.commands import mcp as cli_mcp
from b2bua.commands import payments as cli_payments
from b2bua.commands import personal_data as cli_personal_data
from b2bua.commands import prompts as cli_prompts
from b2bua.commands import provider as cli_provider
from b2bua.commands import route as cli_route
from b2bua.commands import self_test as cli_self_test
from b2bua.commands import token as cli_token
from b2bua.commands import user as cli_user
from b2bua.commands.api_client import TOKEN
from b2bua.commands.configuration import ConfigFile, give_up, load_settings
from b2bua.config.general_settings import GeneralSettings
from b2bua.doctor import startup
from b2bua.doctor.examination import examine
from b2bua.doctor.finding import Level
from b2bua.doctor.reach import ask_health
from b2bua.supervise.supervisor import supervise
from tonewall.ini import ConfigError, load, read_file
from tonewall.log import configure_log
from tonewall.version import VERSION

app = typer.Typer(
    help="Tonewall: card payments by phone, without the agent ever receiving a digit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # it would read the [sections] of sip.conf in help texts as markup
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cli_access.app, name="access")
app.add_typer(cli_audit.app, name="audit")
app.add_typer(cli_cdr.app, name="cdr")
app.add_typer(cli_evidence.app, name="evidence")
app.add_typer(cli_payments.app, name="payments")
app.add_typer(cli_provider.app, name="provider")
app.add_typer(cli_personal_data.app, name="personal-data")
app.add_typer(cli_token.app, name="token")
app.add_typer(cli_user.app, name="user")
app.command()(cli_route.route)
app.command()(cli_prompts.prompts)
app.command()(cli_ladder.ladder)
app.command()(cli_mcp.mcp)
app.command()(cli_files.verify_files)
app.command()(cli_self_test.self_test)
_MARKS = {
    Level.GOOD: "[green]ok[/]",
    Level.WARNING: "[yellow]warning[/]",
    Level.FAULT: "[red]fault[/]",
}


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"tonewall {VERSION}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Tonewall: card payments by phone, without the agent ever receiving a digit."""


@app.command()
def run(config: ConfigFile = None) -> None:
    """Carry calls: start and supervise signalling, media and payers."""
    settings = load_settings(config)
    configure_log("supervisor", settings.signalling.general.log_level)
    if refusals := startup.find_refusals(settings):
        give_up("cannot start:\n" + "\n".join(refusals))
    startup.log_warnings(settings, config)
    try:
        asyncio.run(supervise(settings))
    except* OSError as group:
        error = group.exceptions[0]
        give_up(f"cannot start: {error}")


@app.command()
def demo(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the story.")
    ] = False,
    exit_: Annotated[
        bool, typer.Option("--exit", help="End when the call is over; status 0 only if all of it held.")
    ] = False,
    provider: Annotated[
        str, typer.Option(help="The adapter to charge with; its provider is played on this machine.")
    ] = "connector",
) -> None:
    """Show one paid call between two real phones, on this machine only, and check it on the
    wire."""
    missing = [name for name in ("pjsua2", "av", "cryptography") if importlib.util.find_spec(name) is None]
    if missing:
        give_up(f"the demo needs {', '.join(missing)}; install them with: pip install 'tonewall[demo]'")
    # These import the demo's extra packages.
    from b2bua.demo.stage import PLAYED  # noqa: PLC0415
    from b2bua.demo.story import play_story  # noqa: PLC0415

    if provider not in PLAYED:
        give_up(f"--provider: expected one of {', '.join(PLAYED)}")
    raise typer.Exit(asyncio.run(play_story(as_json=as_json, leave=exit_, adapter=provider)))


@app.command()
def doctor(config: ConfigFile = None) -> None:
    """Say what is wrong with this machine or the configuration, and what to do about it."""
    findings = asyncio.run(examine(config))
    table = Table(
        "", "what", "finding", title="tonewall doctor", title_justify="left", box=None, pad_edge=False
    )
    for finding in findings:
        table.add_row(_MARKS[finding.level], escape(finding.what), escape(finding.text))
    Console().print(table)
    raise typer.Exit(1 if any(finding.level is Level.FAULT for finding in findings) else 0)


@app.command()
def health(
    config: ConfigFile = None,
    directory: Annotated[
        Path | None,
        typer.Option(help="[general] directory of the installation, where it is not as in sip.conf."),
    ] = None,
) -> None:
    """Ask a running Tonewall on this machine how it is; status 0 if calls can be paid. For health
    checks."""
    try:
        sections = read_file(config) if config else {}
        where = directory or load(GeneralSettings, sections).directory
        given = sections.get("api", {}).get("tokens", "") or os.environ.get("TONEWALL_API_TOKENS", "")
    except ConfigError as error:
        give_up(f"the configuration is wrong:\n{error}")
    # Needed where [api] healthz = no.
    token = os.environ.get(TOKEN, "") or first_clear_token(given)
    try:
        answer = ask_health(where, 2.0, token)
    except (OSError, ValueError, KeyError) as error:
        give_up(
            f"not healthy ({type(error).__name__}); is `tonewall run` up? Its log and `tonewall doctor` say "
            "more"
        )
    print(json.dumps(answer))
    if answer.get("status") in {"ok", "degraded"}:
        return
    if answer.get("status") == 401:
        give_up(f"[api] healthz = no: give sip.conf with -c, or a token as {TOKEN}")
    give_up(
        "\n".join(
            ["not healthy", *(str(fault["says"]) for fault in answer.get("faults", []) if fault["stops"])]
        )
    )


@app.command()
def version() -> None:
    """Print the version."""
    print(f"tonewall {VERSION}")


def main() -> None:
    """The command's entry point."""
    app()


if __name__ == "__main__":
    main()
