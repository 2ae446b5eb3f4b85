"""`tonewall health`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from b2bua.access.tokens import first_clear_token
from b2bua.commands.configuration import TOKEN, ConfigFile, give_up, given_token
from b2bua.config.general_settings import GeneralSettings
from b2bua.doctor.health import ask_health
from tonewall.ini import FILE, ConfigError, Sections, load, read_file, variable_name
from tonewall.secret_file import read_secret


def _read_tokens(sections: Sections) -> str:
    """`[api] tokens`, wherever they stand. The section's model takes long to load, and is not
    needed here."""
    variable = variable_name("api", "tokens")
    if file := os.environ.get(variable + FILE, ""):
        return read_secret(Path(file), variable + FILE)
    return os.environ.get(variable, "") or sections.get("api", {}).get("tokens", "")


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
        given = _read_tokens(sections)
    except (ConfigError, ValueError) as error:
        give_up(f"the configuration is wrong:\n{error}")
    # Needed where [api] healthz = no.
    token = given_token() or first_clear_token(given)
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
