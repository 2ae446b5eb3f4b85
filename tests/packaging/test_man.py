"""The manual page and the completion of a shell, as the `tonewall` command makes them."""

from __future__ import annotations

import os
import subprocess
import sys

import typer

from b2bua.cli import app
from release.man import every_command, make_page
from tests.programs import require_program


def test_the_page_has_every_command_and_troff_has_nothing_to_object_to() -> None:
    page = make_page().encode()
    found = subprocess.run(
        [require_program("groff"), "-man", "-Tutf8", "-ww", "-rLL=100n", "-P-cbou"],
        input=page, capture_output=True, check=False,
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, b"")
    shown = found.stdout.decode().replace("\u2010", "-")
    commands = [path for path, _ in every_command(typer.main.get_command(app), "tonewall")]
    assert {"tonewall run", "tonewall payments settle", "tonewall version"} <= set(commands)
    assert [path for path in commands if path not in shown] == []
    assert "--follow-up" in shown


def test_a_shell_completes_the_names_of_commands() -> None:
    asked = {"COMP_WORDS": "tonewall pay", "COMP_CWORD": "1", "_TONEWALL_COMPLETE": "complete_bash"}
    found = subprocess.run(
        [sys.executable, "-c", "from b2bua.cli import app; app(prog_name='tonewall')"],
        env={**os.environ, **asked}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (found.returncode, found.stdout.split()) == (0, ["payments"])
