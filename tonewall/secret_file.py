"""Reads a secret from a file of its own, as Docker and Kubernetes provide it."""

from __future__ import annotations

from pathlib import Path


def read_secret(path: Path, key: str) -> str:
    """The one line of the file. `key`: of the setting that names the file.

    Raises ValueError, which quotes nothing of it."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{key}: expected a file that can be read, with the key alone in it") from None
    if len(lines) != 1:
        raise ValueError(f"{key}: expected one line, with the key alone in it")
    return lines[0].strip()
