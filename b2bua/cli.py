"""Runs the `tonewall` command.

Rule 1: the module of a command is imported when that command is asked for: a health check, which
        runs every few seconds, does not wait for all of Tonewall to be read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from tonewall.keeper import VARIABLE
from tonewall.start import import_uncollected
from tonewall.version import VERSION

# Module below b2bua.commands, and what of it: a function is a command, `app` a group of them.
_COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "run": ("run", "run"),
    "demo": ("demo", "demo"),
    "reload": ("reload", "reload"),
    "upgrade": ("upgrade", "upgrade"),
    "doctor": ("doctor", "doctor"),
    "health": ("health", "health"),
    "route": ("route", "route"),
    "prompts": ("prompts", "prompts"),
    "ladder": ("ladder", "ladder"),
    "capture": ("capture", "capture"),
    "log-level": ("log_level", "log_level"),
    "top": ("top", "top"),
    "mcp": ("mcp", "mcp"),
    "verify-files": ("files", "verify_files"),
    "self-test": ("self_test", "self_test"),
    "preflight": ("preflight", "preflight"),
    "access": ("access", "app"),
    "audit": ("audit_erase", "app"),
    "cdr": ("cdr", "app"),
    "evidence": ("evidence", "app"),
    "payments": ("payments", "app"),
    "provider": ("provider", "app"),
    "personal-data": ("personal_data", "app"),
    "token": ("token", "app"),
    "user": ("user", "app"),
    "webhooks": ("webhooks", "app"),
}


class _Commands(TyperGroup):
    """The commands of the table, beside those of this module."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*_COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, name = _COMMANDS[cmd_name]
        found = getattr(import_uncollected(f"b2bua.commands.{module}"), name)
        command = get_group(found) if isinstance(found, typer.Typer) else _as_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_Commands,
    help="Tonewall: card payments by phone, without the agent ever receiving a digit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # it would read the [sections] of sip.conf in help texts as markup
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _as_command(function: Callable[..., Any]) -> Any:
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    single.command()(function)
    return get_command(single)


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
def version() -> None:
    """Print the version."""
    print(f"tonewall {VERSION}")


def main() -> None:
    """The command, where it is not started by `b2bua.__main__`."""
    if sys.argv[1:2] == ["run"] and VARIABLE not in os.environ:
        # The keeper stays for long, and is to be small.
        os.execv(  # noqa: S606 - without a shell
            sys.executable, [sys.executable, "-P", "-m", "b2bua", *sys.argv[1:]]
        )
    app()


if __name__ == "__main__":
    main()
