"""`tonewall provider`: tries a payment provider's sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.settings import load_settings
from b2bua.config.settings import Settings
from provider_adapters.payment import WRONG_CONFIGURATION
from tonewall.ini import NAMED, to_environment
from tonewall.process import card_environment

app = typer.Typer(help="Payment providers: test.", no_args_is_help=True, rich_markup_mode=None)
_NOT_A_SANDBOX = 3  # as provider_adapters.payer.trial
_COLOURS = {
    "approved": "green",
    "accepted": "green",
    "opened": "green",
    "declined": "yellow",
    "unclear": "yellow",
}


@app.callback()
def group() -> None:
    """Payment providers."""


@app.command("test")
def try_provider(
    name: Annotated[
        str,
        typer.Argument(help="The provider of [provider NAME]; without it, the first.", show_default=False),
    ] = "",
    amount: Annotated[int, typer.Option(min=1, help="What is charged, in the currency's minor unit.")] = 100,
    currency: Annotated[
        str, typer.Option(help="The currency; without it, the sandbox's usual one.", show_default=False)
    ] = "",
    config: ConfigFile = None,
) -> None:
    """Charge the provider's published test card in its sandbox, and say what came back. Status 0 if
    it was approved. Refused where money would move. A company's own service gets a form of
    zeros."""
    settings = load_settings(config)
    header = _find_header(settings, name)
    section = settings.providers[header]
    process = subprocess.Popen(
        [
            sys.executable, "-m", "provider_adapters.payer.trial", "--amount", str(amount),
            "--currency", currency.upper(),
        ],
        env=card_environment({NAMED: header} | to_environment(section, header)),
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    console = Console(highlight=False)
    with process:
        for line in process.stdout:
            console.print(describe(json.loads(line)), soft_wrap=True)
    if process.returncode == _NOT_A_SANDBOX:
        give_up(
            f"[{header}] url: money would move there, or may; a trial is made in the provider's sandbox only "
            "(docs/providers.md), with the sandbox's key, or on this machine"
        )
    if process.returncode not in (0, 1):
        give_up(
            "the settings are wrong" if process.returncode == WRONG_CONFIGURATION else "the trial broke off"
        )
    raise typer.Exit(process.returncode)


def _find_header(settings: Settings, name: str) -> str:
    if not name:
        return next(iter(settings.providers))
    found = dict(zip(settings.provider_names, settings.providers, strict=True)).get(name)
    if found is None:
        give_up(f"there is no provider {name}; expected one of {', '.join(settings.provider_names)}")
    return found


def describe(report: dict[str, Any]) -> str:
    """A line of the trial for people, as rich's markup."""
    step = f"{report['step']:<12}"
    if report["step"] == "start":
        what = f"its test card {report['card']}" if report["card"] else "a form of zeros"
        return f"{escape(report['provider'])} at {escape(report['url'])}, with {what}"
    if "method" in report:
        answer = "no answer" if report["status"] is None else str(report["status"])
        return f"  {step}{escape(report['method'])} {escape(report['path'])}  {answer}  {report['seconds']} s"
    found = report.get("outcome") or report["found"]
    details = ", ".join(f"{key} {value}" for key, value in report.get("details", {}).items())
    texts = [text for text in (details, report["says"]) if text]
    colour = _COLOURS.get(found, "red")
    return f"{step}[{colour}]{escape(found)}[/]" + (f": {escape('; '.join(texts))}" if texts else "")
