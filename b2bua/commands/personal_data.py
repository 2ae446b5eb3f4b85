"""`tonewall personal-data`: exports and erases what is kept on a person, over the API of the
running Tonewall."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from b2bua.access.roles import Role
from b2bua.commands.api_client import ApiClient
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.personal_data.desk import Erasure

app = typer.Typer(help="Personal data: export, erase.", no_args_is_help=True, rich_markup_mode=None)
LEFT: Final = 3
_PATIENCE: Final = 600.0  # seconds for an answer: a large database is read as a whole
_ROLES: Final = frozenset({Role.ADMINISTRATOR})
_STANDARD_INPUT: Final = "-"
Numbers = Annotated[
    list[str],
    typer.Option(
        "--number",
        help="The person's number, with country and plus, or as your trunks write it. May be given "
        "more than once; - reads a line each from standard input, where no list of processes shows it.",
    ),
]
Url = Annotated[str, typer.Option(help="Where the API is; else the Tonewall of this machine.")]


@app.command("export")
def export_command(
    number: Numbers,
    config: ConfigFile = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A file, made for its owner alone.")
    ] = None,
    url: Url = "",
) -> None:
    """Write everything that is kept on a person, as JSON."""
    body = {"numbers": _numbers(number)}
    found = ApiClient.for_config(config, url, _ROLES).send(
        "/v1/personal-data/export", body, dict[str, Any], _PATIENCE
    )
    text = msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"
    if output is None:
        sys.stdout.buffer.write(text)
        return
    try:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        give_up(f"{output} cannot be made ({error.strerror}): name a new file")
    with os.fdopen(file, "wb") as made:
        made.write(text)
    print(
        f"{len(found['calls'])} calls and {len(found['payments'])} payments written to {output}",
        file=sys.stderr,
    )


@app.command("erase")
def erase_command(
    number: Numbers,
    config: ConfigFile = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Erase; without it, only say what would be erased.")
    ] = False,
    url: Url = "",
) -> None:
    """Erase a person's number wherever it is kept. Status 3 where some of it is left, as things
    under way need it."""
    body = {"numbers": _numbers(number), "dry_run": not yes}
    done = ApiClient.for_config(config, url, _ROLES).send("/v1/personal-data/erase", body, Erasure, _PATIENCE)
    head = "would be erased" if done.dry_run else "erased"
    for what, count in sorted(done.erased.items()):
        print(f"{head}: {count} {what}")
    if not done.erased:
        print(f"{head}: nothing")
    for left in done.left:
        print(f"left: {left.count} {left.what}. {left.why}")
    print("stays, by rule:")
    for kept in done.kept:
        print(f"  {kept}")
    if done.dry_run:
        print("nothing was changed; --yes erases")
    elif done.left:
        raise typer.Exit(LEFT)


def _numbers(given: list[str]) -> list[str]:
    if given != [_STANDARD_INPUT]:
        return given
    return [line.strip() for line in sys.stdin if line.strip()]
