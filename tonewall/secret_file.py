"""Reads a secret from a file of its own, as Docker and Kubernetes provide it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_MAX_SIZE: Final = 65536  # characters; more is no secret, as /dev/zero is none


def read_secret(path: Path, key: str) -> str:
    """The one line of the file. `key`: of the setting that names the file.

    Raises ValueError, which quotes nothing of it."""
    try:
        with path.open(encoding="ascii") as file:
            text = file.read(_MAX_SIZE + 1)
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{key}: expected a file that can be read, with the secret alone in it") from None
    lines = text.splitlines()
    if len(lines) != 1 or len(text) > _MAX_SIZE:
        raise ValueError(f"{key}: expected one line, with the secret alone in it")
    return lines[0].strip()
