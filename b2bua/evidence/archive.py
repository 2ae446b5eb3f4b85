"""Signs the files of an evidence pack as one archive, and verifies such an archive.

An archive is a tar.gz. Its first file is the manifest, with the size and the SHA-256 of each other
one; its second is the signature of the manifest (Ed25519, in base64).

Rule 1: the same files and the same manifest are the same octets of a tar, whoever packs them.
Rule 2: nothing of an archive is believed, nor written, before its manifest was verified.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
_PURPOSE: Final = b"tonewall evidence manifest\n"  # never taken for a signature of an audit log
_MAX_MANIFEST: Final = 16 << 20  # bytes
_MAX_SIGNATURE: Final = 1024
_PIECE: Final = 1 << 20


class File(msgspec.Struct, frozen=True):
    """One file of a pack."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a pack is: of which period, made when (RFC 3339, UTC), by which version, and its files.
    `key`: the SHA-256 of the public key (DER) that belongs to the signature."""

    pack: int = 1  # the version of this format
    product: str
    since: str
    until: str
    made_at: str
    key: str
    files: dict[str, File]


class NoPack(Exception):
    """The file is no pack that this key signed; the text says why."""


def fingerprint(key: Ed25519PublicKey) -> str:
    """The SHA-256 of a public key in DER."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def describe_files(directory: Path) -> dict[str, File]:
    """The files below a directory, by their paths in it."""
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[str(path.relative_to(directory))] = File(path.stat().st_size, digest)
    return found


def seal(directory: Path, manifest: Manifest, key: Ed25519PrivateKey, made_at: int, to: Path) -> None:
    """Write the archive of the manifest's files below a directory, mode 0600, whole or not at all.
    `made_at`: seconds since the epoch. Raises OSError."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    signature = base64.b64encode(key.sign(_PURPOSE + text)) + b"\n"
    fresh = to.with_name(f".{to.name}.new")
    try:
        with _open_fresh(fresh) as file:
            with (
                gzip.GzipFile("", "wb", fileobj=file, mtime=made_at) as packed,
                tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
            ):
                for name, content in ((MANIFEST, text), (SIGNATURE, signature)):
                    tar.addfile(_member(name, len(content), made_at), io.BytesIO(content))
                for name, each in sorted(manifest.files.items()):
                    with (directory / name).open("rb") as member:
                        tar.addfile(_member(name, each.bytes, made_at), member)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(to)
    finally:
        fresh.unlink(missing_ok=True)


def open_pack(path: Path, key: Ed25519PublicKey, to: Path | None = None) -> tuple[Manifest, list[str]]:
    """The manifest of an archive, and what is wrong with its files, a line each. `to`: a directory
    for the files that are as the manifest says. Raises NoPack, and OSError."""
    try:
        with gzip.open(path) as packed:
            with tarfile.open(fileobj=packed, mode="r|") as tar:
                members = iter(tar)
                text = _read_first(tar, members, MANIFEST, _MAX_MANIFEST)
                signature = _read_first(tar, members, SIGNATURE, _MAX_SIGNATURE)
                manifest = _read_manifest(text, signature, key)
                findings = list(_check_members(tar, members, manifest, to))
            if any(any(piece) for piece in iter(lambda: packed.read(_PIECE), b"")):
                findings.append("something stands behind the end of the archive")
            return manifest, findings
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise NoPack(
            f"it is damaged, or no archive of `tonewall evidence` ({type(error).__name__})"
        ) from None


@contextmanager
def _open_fresh(path: Path) -> Iterator[BinaryIO]:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file


def _member(name: str, size: int, made_at: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, made_at, 0o644
    return info


def _read_first(tar: tarfile.TarFile, members: Iterator[tarfile.TarInfo], name: str, limit: int) -> bytes:
    info = next(members, None)
    file = tar.extractfile(info) if info is not None and info.isreg() else None
    if info is None or file is None or info.name != name or info.size > limit:
        raise NoPack(f"{name} does not stand where it should: this is no archive of `tonewall evidence`")
    return file.read()


def _read_manifest(text: bytes, signature: bytes, key: Ed25519PublicKey) -> Manifest:
    try:
        key.verify(base64.b64decode(signature, validate=False), _PURPOSE + text)
    except (InvalidSignature, ValueError):
        raise NoPack(
            f"{MANIFEST} is not signed by this key: it was changed, or another key made it"
        ) from None
    return msgspec.json.decode(text, type=Manifest)


def _check_members(
    tar: tarfile.TarFile, members: Iterator[tarfile.TarInfo], manifest: Manifest, to: Path | None
) -> Iterator[str]:
    left = dict(manifest.files)
    for info in members:
        expected = left.pop(info.name, None)
        if expected is None:
            yield f"{info.name}: not in the manifest: it was added, or stands there twice"
            continue
        file = tar.extractfile(info) if info.isreg() else None
        if file is None or info.size != expected.bytes:
            yield f"{info.name}: {info.size} bytes, where the manifest has {expected.bytes}"
            continue
        if _copy(file, to / info.name if to is not None else None) != expected.sha256:
            yield f"{info.name}: changed: its SHA-256 is not that of the manifest"
    for name in left:
        yield f"{name}: missing"


def _copy(file: IO[bytes], to: Path | None) -> str:
    """Read a file to its end; its SHA-256. What is not as it should be is written nonetheless, and
    named by the caller."""
    digest = hashlib.sha256()
    if to is not None:
        to.parent.mkdir(parents=True, exist_ok=True)
    with open(os.devnull if to is None else to, "wb") as out:
        while piece := file.read(_PIECE):
            digest.update(piece)
            out.write(piece)
    return digest.hexdigest()
