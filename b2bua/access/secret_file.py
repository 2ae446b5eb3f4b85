"""Reads a secret of this installation, which is made where there is none yet."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

_OCTETS: Final = 32


def read_or_make(path: Path) -> bytes:
    """The 32 octets of a file, its owner's alone. Two who make it at once end with one.

    Raises OSError where it cannot be used.
    """
    if not path.exists():
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_OCTETS))
            file.flush()
            os.fsync(descriptor)
        try:
            with suppress(FileExistsError):  # another was faster
                os.link(fresh, path)
        finally:
            fresh.unlink()
    found = path.read_bytes()
    if len(found) != _OCTETS:
        raise OSError(None, f"expected {_OCTETS} octets, as Tonewall makes it", str(path))
    return found
