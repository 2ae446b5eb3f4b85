"""Checks the prompts that forms name: every file decoded, every name that is missing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

from b2bua.config.settings import Settings
from b2bua.doctor.finding import Finding, fault, good, warn
from tonewall.process import plain_environment

_SECONDS = 300
_CODECS = "played in G.711 and G.722: a customer in another codec hears none"


def check_prompts(settings: Settings) -> list[Finding]:
    """What is wrong with the prompts, where any form is guided by them."""
    if not settings.plays_prompts:
        return []
    if importlib.util.find_spec("av") is None:
        return [fault("prompts", "PyAV (av) is not installed, so none can be prepared: install it")]
    status, lines = examine_prompts(settings)
    wrong = [line for line in lines if not line.endswith(" prompts")]
    if not wrong and not status:
        return [good("prompts", f"{', '.join(lines)}; {_CODECS}")]
    return [(fault if status else warn)("prompts", line) for line in wrong]


def examine_prompts(settings: Settings) -> tuple[int, list[str]]:
    """The status and the lines of the process that decodes every file of every set. Raises
    OSError."""
    ended = subprocess.run(
        [sys.executable, "-m", "media.prompts.process", "--check", "--log-level", "error"],
        env=plain_environment(settings.prompt_environment()),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    return ended.returncode, ended.stdout.splitlines()
