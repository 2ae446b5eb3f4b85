"""`tonewall verify-files`: compares installed files with the manifest of their release. It needs no
running Tonewall, and may look at another installation than its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from b2bua.commands.configuration import give_up
from tonewall.manifest import Kind, compare, installed_root
from tonewall.minisign import PublicKey

DIFFERENT = 1


def verify_files(
    key: Annotated[str, typer.Option(help="The public key that signs releases (minisign, RW...).")] = "",
    root: Annotated[
        Path | None, typer.Option(help="The site-packages of another installation, or of a mounted image.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Find every installed file that is not what was released. Status 1 if there is one, 2 if there
    is nothing to compare with."""
    try:
        signer = PublicKey.parse(key) if key else None
    except ValueError as error:
        give_up(f"--key: {error}")
    found = compare(root or installed_root(), signer)
    if not found.files and not found.differences:
        give_up(f"{root or installed_root()} has no manifest: it was installed from the sources")
    if as_json:
        sys.stdout.write(json.dumps(msgspec.to_builtins(found), indent=1) + "\n")
    else:
        for each in found.differences:
            typer.echo(f"{each.path}: {each.kind}")
        whose = "signed by this key" if found.signed else "whose signature was not checked: give --key"
        if found.files:
            typer.echo(f"{found.files} files of {found.version}, by a manifest {whose}")
        typer.echo("NOT as released" if found.differences else "as released")
    if any(each.kind is Kind.BYTECODE for each in found.differences):
        typer.echo(
            "after an update of Python its bytecode may differ: run python -m compileall -q -f on the "
            "folder, and compare again",
            err=True,
        )
    if found.differences:
        raise typer.Exit(DIFFERENT)
