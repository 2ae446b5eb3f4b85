"""Reads a lock of Python packages: each with its version, its hashes, and what asks for it; writes
what one lock has beyond another."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PIN = re.compile(
    r"([a-z0-9][a-z0-9-]*)==(\S+?)(?: ; ([^\\\n]+?))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)"
)
_VIA = re.compile(r"    # via(?: (\S+)[^\n]*)?\n((?:    #   [^\n]+\n)*)")
# What is passed on: what the product asks for, and what it asks for beside PostgreSQL and Redis.
LOCKS: Final = ("requirements/run.lock", "requirements/extras.lock")


@dataclass(frozen=True, slots=True)
class Locked:
    """A package. `marker`: the machines that it is for (PEP 508), empty for all; `via`: the
    packages that ask for it, of which `tonewall` is one."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    via: tuple[str, ...]


def read_lock(path: Path) -> list[Locked]:
    """The packages of a lock that uv made. Raises OSError, and ValueError for a line that is none
    of its."""
    text = path.read_text()
    packages, at = [], 0
    while at < len(text):
        pin = _PIN.match(text, at)
        if pin is None:
            raise ValueError(f"{path.name}, line {text.count(chr(10), 0, at) + 1}: expected a package")
        name, version, marker, hashes = pin.groups()
        via = _VIA.match(text, pin.end())
        at = via.end() if via else pin.end()
        packages.append(
            Locked(
                name, version, marker or "", tuple(sorted(re.findall(r"[0-9a-f]{64}", hashes))), _askers(via)
            )
        )
    return packages


def shipped(root: Path) -> list[Locked]:
    """The packages that are passed on, in the image, in the Debian package or with the wheel: those
    of the product, and those for PostgreSQL. Raises as `read_lock`."""
    return [each for lock in LOCKS for each in read_lock(root / lock)]


def _askers(via: re.Match[str] | None) -> tuple[str, ...]:
    if via is None:
        return ()
    lines = [via[1]] if via[1] else re.findall(r"#   (\S+)", via[2])
    return tuple(sorted(set(lines)))


def beyond(lock: Path, base: Path) -> Iterator[str]:
    """The lines of a lock for what another does not have, but what Windows alone needs. Raises as
    `read_lock`."""
    there = {each.name for each in read_lock(base)}
    for each in read_lock(lock):
        if each.name not in there and "win32" not in each.marker:
            marker = f" ; {each.marker}" if each.marker else ""
            hashes = " \\\n".join(f"    --hash=sha256:{digest}" for digest in each.hashes)
            asked = "".join(f"    #   {name}\n" for name in each.via if name != "-c")
            yield f"{each.name}=={each.version}{marker} \\\n{hashes}\n    # via\n{asked}"


def main() -> None:
    """`python -m release.lock LOCK BASE OUT`."""
    parser = argparse.ArgumentParser(
        prog="python -m release.lock", description="What a lock has beyond another."
    )
    for name in ("lock", "base", "out"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    arguments.out.write_text("".join(beyond(arguments.lock, arguments.base)))


if __name__ == "__main__":
    main()
