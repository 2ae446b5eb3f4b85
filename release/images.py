"""Compares two container images, file by file: two builds of the same sources must be the same.

Rule 1: content, kind, mode, owner, time and target of every file count, and so does the image's
        configuration.
Rule 2: what may differ is in NAMED, with the reason; it is told all the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# Files that may differ between two builds, and why. None does.
NAMED: Final[Mapping[str, str]] = {}
_CONFIGURATION: Final = "configuration"


@dataclass(frozen=True, slots=True)
class Member:
    """What of a file counts."""

    kind: bytes
    mode: int
    owner: tuple[int, int]
    time: float
    target: str
    rights: tuple[tuple[str, str], ...]  # extended attributes: capabilities
    digest: str


def read_image(archive: Path) -> dict[str, Member | str]:
    """Every file of each layer of an image archive by layer and path, and the configuration. Raises
    OSError, tarfile.TarError, KeyError, ValueError for what is no such archive."""
    with tarfile.open(archive) as tar:
        index = _json(tar, "index.json")
        manifest = _json(tar, _blob(index["manifests"][0]["digest"]))
        found: dict[str, Member | str] = {
            _CONFIGURATION: json.dumps(_json(tar, _blob(manifest["config"]["digest"])), sort_keys=True)
        }
        for number, layer in enumerate(manifest["layers"]):
            content = tar.extractfile(_blob(layer["digest"]))
            if content is None:
                raise ValueError(f"layer {number} is no file")
            with tarfile.open(fileobj=content, mode="r:*") as files:
                for member in files:
                    found[f"{number}/{member.name.removeprefix('./')}"] = _member(files, member)
    return found


def differences(one: Mapping[str, Member | str], other: Mapping[str, Member | str]) -> Iterator[str]:
    """Paths that are not the same in both."""
    for path in sorted(one.keys() | other.keys()):
        if one.get(path) != other.get(path):
            yield path


def _member(files: tarfile.TarFile, member: tarfile.TarInfo) -> Member:
    content = files.extractfile(member) if member.isreg() else None
    digest = hashlib.file_digest(content, "sha256").hexdigest() if content is not None else ""  # type: ignore[arg-type]
    owner = (member.uid, member.gid)
    rights = tuple(sorted(each for each in member.pax_headers.items() if each[0].startswith("SCHILY.xattr.")))
    return Member(member.type, member.mode, owner, member.mtime, member.linkname, rights, digest)


def _json(tar: tarfile.TarFile, name: str) -> Any:
    content = tar.extractfile(name)
    if content is None:
        raise ValueError(f"{name} is no file")
    return json.load(content)


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _digest(archive: Path) -> str:
    with tarfile.open(archive) as tar:
        return str(_json(tar, "index.json")["manifests"][0]["digest"])


def main() -> None:
    """`python -m release.images FIRST SECOND`. Status 1 where a file differs that is not named."""
    parser = argparse.ArgumentParser(prog="python -m release.images", description="Compare two images.")
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    arguments = parser.parse_args()
    one, other = read_image(arguments.first), read_image(arguments.second)
    found = list(differences(one, other))
    for path in found:
        print(f"{path}: {NAMED.get(path.partition('/')[2], 'DIFFERS')}")
    same = _digest(arguments.first) == _digest(arguments.second)
    print(
        f"{len(one)} files compared, {len(found)} differ; the digests {'are' if same else 'are not'} the same"
    )
    print(f"{_digest(arguments.first)}\n{_digest(arguments.second)}")
    if any(path.partition("/")[2] not in NAMED for path in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
