"""Files of ours: room to grow, checked before a payment, whole content, and who may read them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

MIN_FREE = 1024 * 1024  # bytes; some thousand lines of a journal or spool


def check_space(path: Path) -> None:
    """Raise OSError (ENOSPC, EROFS) where the file system of `path` is full or read-only. Quotas
    are not seen."""
    found = os.statvfs(path if path.exists() else path.parent)
    # Blocks that only root may use keep a machine alive, and are not for us to plan with.
    if found.f_bavail * found.f_frsize < MIN_FREE or (found.f_files and not found.f_favail):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    if found.f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a process that waits for it reads all of it. Raises
    OSError."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(content)
    temporary.replace(path)


def keep_from_everybody(path: Path) -> None:
    """Take the rights of all but its owner and group from a file, where it is there and ours.
    Raises OSError."""
    if path.exists():
        found = path.stat()
        if found.st_mode & 0o007 and found.st_uid == os.geteuid():
            path.chmod(found.st_mode & 0o770)
