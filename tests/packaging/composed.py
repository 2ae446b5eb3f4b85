"""deploy/compose as tests need it: services as Compose resolves them, and a copy with secrets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.programs import require_program

FOLDER = Path(__file__).parents[2] / "deploy" / "compose"


def resolve(name: str) -> dict[str, Any]:
    """What Compose makes of a file: services of others included, paths whole. Raises
    CalledProcessError."""
    command = [require_program("docker-compose"), "-f", str(FOLDER / name), "config"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    resolved: dict[str, Any] = yaml.safe_load(found.stdout)
    return resolved


def copy_with_secrets(to: Path) -> Path:
    """The folder after `secrets.sh`, run twice."""
    folder = to / "compose"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("secrets"))
    for _ in range(2):
        subprocess.run([folder / "secrets.sh"], check=True, capture_output=True)
    return folder


def read_configuration(path: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Has Tonewall read a sip.conf as a process with that environment does, and no other settings;
    status 2 where it objects."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TONEWALL_")}
    command = [sys.executable, "-m", "b2bua.cli", "audit", "configuration", "--config", str(path)]
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True, check=False)
