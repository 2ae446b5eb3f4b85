"""Whether a file can still grow: asked of the file system before a payment, not learnt from the write that fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path

LEAST = 1024 * 1024  # bytes; some thousand lines of a journal or spool


def check_space(path: Path) -> None:
    """Raise OSError (ENOSPC, EROFS) where the file system of `path` is full or read-only. Quotas are not seen."""
    found = os.statvfs(path if path.exists() else path.parent)
    # Blocks that only root may use keep a machine alive, and are not for us to plan with.
    if found.f_bavail * found.f_frsize < LEAST or (found.f_files and not found.f_favail):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    if found.f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
