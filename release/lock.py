"""Reads a lock of Python packages: each with its version, its hashes, and what asks for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_PIN = re.compile(
    r"([a-z0-9][a-z0-9-]*)==(\S+?)(?: ; ([^\\\n]+?))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)"
)
_VIA = re.compile(r"    # via(?: (\S+)[^\n]*)?\n((?:    #   [^\n]+\n)*)")


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


def _askers(via: re.Match[str] | None) -> tuple[str, ...]:
    if via is None:
        return ()
    lines = [via[1]] if via[1] else re.findall(r"#   (\S+)", via[2])
    return tuple(sorted(set(lines)))
