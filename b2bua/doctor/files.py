"""Checks that the files of sip.conf can be written.

Rule 1: no check leaves anything behind: files, rows and locks that a check makes are removed.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from b2bua.config.settings import Settings
from b2bua.doctor.finding import Finding, Level, fault, good, warn
from tonewall.disk import check_space


def check_directory(settings: Settings) -> Finding:
    """The directory of sockets must be ours alone."""
    path, what = settings.signalling.general.directory, "directory"
    if not os.path.exists(path):  # which is False, not an error, where we may not look
        if why := why_not_creatable(path) or _why_open_to_others(path):
            return fault(what, f"[general] directory: {path} is missing and cannot be made: {why}")
        return good(what, f"{path} is made at the start")
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        return fault(what, f"[general] directory: {path} is no directory")
    if found.st_uid != os.geteuid():
        return fault(
            what,
            f"[general] directory: {path} belongs to {_user(found.st_uid)}, and we are {_user()}: chown it",
        )
    if why := _why_open_to_others(path):
        return fault(what, f"[general] directory: {why}")
    if why := why_not_writable(path):
        return fault(what, f"[general] directory: {why}")
    if found.st_mode & 0o077:
        return warn(what, f"{path} is open to others: chmod 700 {path}")
    return good(what, f"{path} is private")


def check_journal(settings: Settings) -> Finding:
    """The payers' journal must take lines."""
    return _check_append("journal", "[provider] journal", settings.provider.journal)


def check_spool(settings: Settings) -> Finding:
    """The spool of call records must take lines."""
    return _check_append("records' spool", "[cdr] spool", settings.signalling.cdr.spool)


def check_payments(settings: Settings) -> Finding:
    """The table of payments must be a database that can be written."""
    what, key, path = "table of payments", "[cdr] payments", settings.signalling.cdr.payments_file
    found = _check_append(what, key, path)
    if found.level is not Level.GOOD or not os.path.exists(path):
        return found
    if why := why_not_writable(path.parent):  # SQLite's own journal stands beside it
        return fault(what, f"{key}: {path}: {why}")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
    except sqlite3.Error as error:
        return fault(what, f"{key}: {path} is no database that can be written ({error})")
    return found


def find_refusals(settings: Settings) -> Iterator[str]:
    """The faults of these files that would end the start."""
    for found in (
        check_directory(settings),
        check_journal(settings),
        check_spool(settings),
        check_payments(settings),
    ):
        if found.level is Level.FAULT:
            yield found.text


def _check_append(what: str, key: str, path: Path) -> Finding:
    if os.path.isdir(path):
        return fault(what, f"{key}: {path} is a directory; a file is expected")
    there = os.path.exists(path)
    if why := why_not_writable(path) if there else why_not_creatable(path):
        return fault(what, f"{key}: {path} cannot be written: {why}")
    try:
        check_space(path if there else _nearest_existing(path))
    except OSError as error:
        return fault(what, f"{key}: {path}: {error.strerror}")
    return good(what, f"{path} can be written")


def _nearest_existing(path: Path) -> Path:
    """The path itself, or the nearest directory above it that exists."""
    path = path.absolute()
    while not os.path.exists(path):
        path = path.parent
    return path


def _why_open_to_others(path: Path) -> str | None:
    """Why another user could replace our sockets: they own, or may write to, the directory or one
    above it."""
    path = path.resolve()
    for each in (path, *path.parents):
        if not os.path.exists(each):
            continue
        found = each.stat()
        if found.st_uid not in (0, os.geteuid()):
            return (
                f"{path}: {each} belongs to {_user(found.st_uid)}, who could replace what is in it; choose "
                "another place"
            )
        writable = found.st_mode & 0o022
        if writable and (each == path or not found.st_mode & stat.S_ISVTX):
            return f"{path}: others may write to {each}: chmod go-w {each}"
    return None


def why_not_creatable(path: Path) -> str | None:
    """Why a file cannot be made there."""
    nearest = _nearest_existing(path)
    return why_not_writable(nearest) if nearest.is_dir() else f"{nearest} is no directory"


def why_not_writable(path: Path) -> str | None:
    """Why not; tried, so that root's rights, read-only mounts and ACLs are the kernel's answer."""
    try:
        if path.is_dir():
            with tempfile.NamedTemporaryFile(dir=path, prefix=".tonewall-doctor-"):
                return None
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))
    except OSError as error:
        return f"{path} ({error.strerror}); it belongs to {_user(path.stat().st_uid)}, and we are {_user()}"
    return None


def _user(number: int | None = None) -> str:
    number = os.geteuid() if number is None else number
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
