"""Compares installed files with the manifest of their release: a path and a SHA-256 for each.

Rule 1: a file that is missing, changed or not in the manifest is a difference; so is bytecode that
        is not what its source compiles to, since Python would run that instead of the source.
Rule 2: where a key is given, a manifest that it did not sign is a difference, and so is none.
Rule 3: nothing in the files can make the comparison wait or fill the memory: only regular files are
        read, up to MAX_BYTES.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from tonewall.bytecode import is_bytecode_of
from tonewall.minisign import BadSignature, PublicKey

PACKAGES: Final = ("b2bua", "media", "provider_adapters", "tonewall")
MANIFEST: Final = "tonewall/manifest.json"
SIGNATURE: Final = "tonewall/manifest.json.minisig"
MAX_BYTES: Final = 64 << 20  # of one file
_MAX_SHOWN: Final = 160  # characters of a path
_BYTECODE: Final = re.compile(r"(.+)/__pycache__/([^/.]+)\.([a-z]+-\d+)(?:\.opt-([12]))?\.pyc")


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`files`: SHA-256 in hexadecimal by path, beside the packages."""

    version: str
    files: dict[str, str]


class Kind(StrEnum):
    """How a file differs."""

    CHANGED = "changed"
    MISSING = "missing"
    ADDED = "not in the manifest"
    BYTECODE = "bytecode of something else"
    UNSIGNED = "not signed by the key"
    UNREADABLE = "cannot be read"


class Difference(msgspec.Struct, frozen=True):
    """One file that is not what was released. `path`: as in the manifest."""

    path: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result. `files`: how many the manifest lists; 0: there is none. `signed`: whether a key
    vouches for it."""

    files: int
    version: str
    signed: bool
    differences: tuple[Difference, ...]


def installed_root() -> Path:
    """The folder that this Tonewall's packages are in."""
    return Path(__file__).resolve().parents[1]


def make_manifest(root: Path, version: str) -> bytes:
    """The manifest of what is in `root` now. Raises OSError."""
    listed = {path: _digest(root / path) for path in sorted(_present(root)) if not path.endswith(".pyc")}
    return msgspec.json.format(msgspec.json.encode(Manifest(version=version, files=listed)), indent=1) + b"\n"


def compare(root: Path, key: PublicKey | None = None) -> Comparison:
    """All differences between the packages in `root` and their manifest."""
    try:
        content = _read(root / MANIFEST)
    except FileNotFoundError:
        missing = (Difference(MANIFEST, Kind.MISSING),) if key is not None else ()
        return Comparison(0, "", False, missing)
    except OSError:
        return _unusable(Kind.UNREADABLE)
    if key is not None:
        try:
            key.verify(content, _read(root / SIGNATURE).decode("ascii"))
        except (OSError, BadSignature, ValueError):
            return _unusable(Kind.UNSIGNED)
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError:
        return _unusable(Kind.CHANGED)
    found = tuple(sorted(_differences(root, manifest), key=lambda each: each.path))
    found = tuple(Difference(_plain(each.path), each.kind) for each in found)
    return Comparison(len(manifest.files), manifest.version, key is not None, found)


def _plain(path: str) -> str:
    """A path as it can be shown: a file that somebody added may have any name."""
    text = path.encode("utf-8", "backslashreplace").decode()
    return "".join(each if each.isprintable() else "?" for each in text)[:_MAX_SHOWN]


def _unusable(kind: Kind) -> Comparison:
    return Comparison(0, "", False, (Difference(MANIFEST, kind),))


def _differences(root: Path, manifest: Manifest) -> Iterator[Difference]:
    present = set(_present(root))
    for path, digest in manifest.files.items():
        if path not in present:
            yield Difference(path, Kind.MISSING)
            continue
        try:
            if _digest(root / path) != digest:
                yield Difference(path, Kind.CHANGED)
        except OSError:
            yield Difference(path, Kind.UNREADABLE)
    for path in present - manifest.files.keys():
        bytecode = _BYTECODE.fullmatch(path)
        source = f"{bytecode[1]}/{bytecode[2]}.py" if bytecode else ""
        if bytecode is None or source not in manifest.files:
            yield Difference(path, Kind.ADDED)
        elif bytecode[3] != sys.implementation.cache_tag:
            continue  # another Python's: this one does not run it
        elif not _is_compiled(root, path, source, int(bytecode[4] or 0)):
            yield Difference(path, Kind.BYTECODE)


def _present(root: Path) -> Iterator[str]:
    """Every file of the packages, and every link to a folder; without the manifest itself."""
    for package in PACKAGES:
        for folder, folders, names in os.walk(root / package):
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            for name in (*names, *links):
                path = Path(folder, name).relative_to(root).as_posix()
                if path not in (MANIFEST, SIGNATURE):
                    yield path


def _is_compiled(root: Path, path: str, source: str, optimize: int) -> bool:
    try:
        return is_bytecode_of(_read(root / path), _read(root / source), optimize)
    except OSError:
        return False


def _digest(path: Path) -> str:
    return hashlib.sha256(_read(path)).hexdigest()


def _read(path: Path) -> bytes:
    """A regular file of MAX_BYTES at most. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
            raise OSError(0, "no regular file, or too large", str(path))
        return file.read(MAX_BYTES)
