"""Writes the manual page of the `tonewall` command, from what the command says of itself.

Rule 1: nothing is written here that `--help` does not say, so that the two cannot differ.
"""

from __future__ import annotations

import argparse
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from b2bua.cli import app
from tonewall.version import VERSION

_OUT: Final = Path("build/man/tonewall.1")


def make_page() -> str:
    """The page in troff, as man(7) has it."""
    command = typer.main.get_command(app)
    lines = [
        f'.TH TONEWALL 1 "" "Tonewall {VERSION}" "User Commands"',
        ".SH NAME",
        r"tonewall \- card payments by phone, without the agent ever receiving a digit",
        ".SH SYNOPSIS",
        r".B tonewall",
        r"[\-\-version] [\-\-help] COMMAND [ARGUMENTS]",
        ".SH COMMANDS",
    ]
    lines += _of_commands(command)
    lines += [
        ".SH FILES",
        ".TP",
        "/etc/tonewall/sip.conf",
        "The configuration. sip.conf.example lists every key; each is an environment variable, too.",
        ".SH SEE ALSO",
        "docs/operations.md has signals, exit statuses, health and metrics.",
    ]
    return "\n".join(lines) + "\n"


def every_command(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Each command of a group, those of the groups in it too, by what one types."""
    for name in sorted(group.list_commands(None)):
        each, here = group.get_command(None, name), f"{path} {name}"
        if hasattr(each, "list_commands"):
            yield from every_command(each, here)
        else:
            yield here, each


def _of_commands(group: Any) -> Iterator[str]:
    for here, each in every_command(group, "tonewall"):
        words = [_usage(parameter) for parameter in each.params]
        yield f".SS {_escape(' '.join([here, *(word for word in words if word)]))}"
        yield from _paragraphs(each.help or "")
        for parameter in each.params:
            text = getattr(parameter, "help", None)
            if text:
                yield ".TP"
                yield rf"\fB{_escape(_spelling(parameter))}\fR"
                yield _escape(text)


def _usage(parameter: Any) -> str:
    """An argument in the line of a command; options are below it."""
    if parameter.param_type_name != "argument":
        return ""
    word = _spelling(parameter)
    return word if parameter.required else f"[{word}]"


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name).upper()
    return ", ".join([*parameter.opts, *parameter.secondary_opts])


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(inspect.cleandoc(text).split("\n\n")):
        if number:
            yield ".PP"
        yield _escape(" ".join(paragraph.split()))


def _escape(text: str) -> str:
    """Text that troff prints as it is."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    plain = "".join(sign if sign.isascii() else f"\\[u{ord(sign):04X}]" for sign in plain)
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


def main() -> None:
    """The command's entry point."""
    parser = argparse.ArgumentParser(prog="python -m release.man", description=textwrap.dedent(__doc__ or ""))
    parser.add_argument("--out", type=Path, default=_OUT)
    out = parser.parse_args().out
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(make_page())
    print(out)


if __name__ == "__main__":
    main()
