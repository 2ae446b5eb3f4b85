"""Checks the licence of every Python package that is installed here against a table of ours.

Rule 1: a licence that the table does not know is refused, and so is a package that names none.
Rule 2: a package whose licence asks for more than its text is in the table by its name, with what
        it asks for; one that is passed on is in NOTICE too.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from license_expression import ExpressionError, get_spdx_licensing

from release import ROOT
from release.lock import shipped

TABLE: Final = ROOT / "release" / "licences.toml"
_NOT_OURS: Final = frozenset({"tonewall"})
_SPDX: Final = get_spdx_licensing()


class Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A licence that asks for more than its text, as SPDX; `why` its package is there all the
    same."""

    licence: str
    why: str


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`accepted`: SPDX identifiers; `told`: packages under others; `words`: what packages
    say, and its SPDX expression; `packages`: the expressions of those that say nothing."""

    accepted: frozenset[str]
    told: dict[str, Told]
    words: dict[str, str]
    packages: dict[str, str]

    def spdx(self, name: str, said: str) -> str:
        """The licence of a package, as an SPDX expression. `said`: what its metadata says. Raises
        ValueError for what is none."""
        expression = self.packages.get(name) or self.words.get(said, said)
        if expression in self.accepted:
            return expression
        try:
            if _SPDX.parse(expression, validate=True, strict=True) is not None:
                return expression
        except ExpressionError:
            pass
        raise ValueError(f"{name}: its licence is not known: {said}")

    def accepts(self, expression: str) -> bool:
        """Whether an expression asks for nothing that is not accepted, by one of the choices that
        it gives."""
        return self._accepts(_SPDX.parse(expression))

    def _accepts(self, node: Any) -> bool:
        if isinstance(node, _SPDX.OR):
            return any(map(self._accepts, node.args))
        if isinstance(node, _SPDX.AND):
            return all(map(self._accepts, node.args))
        return str(node) in self.accepted


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is installed. `said`: its licence, in its own words."""

    name: str
    version: str
    said: str


def read_table(path: Path = TABLE) -> Table:
    """Raises OSError, and ValueError for what is no such table."""
    return msgspec.convert(tomllib.loads(path.read_text()), Table)


def installed() -> list[Package]:
    """What pip-licenses finds in this environment."""
    command = [sys.executable, "-m", "piplicenses", "--format=json", "--with-system"]
    found: list[Mapping[str, Any]] = json.loads(subprocess.check_output(command))
    packages = [Package(normal(each["Name"]), each["Version"], each["License"]) for each in found]
    return sorted(
        (each for each in packages if each.name not in _NOT_OURS), key=lambda each: (each.name, each.version)
    )


def normal(name: str) -> str:
    """A package's name as locks have it (PyPA, name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def complaints(
    packages: list[Package], table: Table, passed_on: frozenset[str], notice: str
) -> Iterator[str]:
    """What is wrong. `passed_on`: names of the packages that the image holds."""
    for package in packages:
        try:
            expression = table.spdx(package.name, package.said)
        except ValueError as error:
            yield f"{error}; look it up, and add it to {TABLE.relative_to(ROOT)}"
            continue
        told = table.told.get(package.name)
        if told is not None and told.licence == expression:
            if package.name in passed_on and f"`{package.name}`" not in notice:
                yield f"{package.name}: it is passed on, and NOTICE does not name it"
        elif not table.accepts(expression):
            yield f"{package.name}: {expression} is not accepted; do without it, or tell what it asks for"


def main() -> None:
    """`python -m release.licences`."""
    packages, table = installed(), read_table()
    passed_on = frozenset(each.name for each in shipped(ROOT))
    found = list(complaints(packages, table, passed_on, (ROOT / "NOTICE").read_text()))
    for package in packages:
        told = table.told.get(package.name)
        if told is not None:
            where = "passed on" if package.name in passed_on else "not passed on"
            print(f"{package.name} {package.version} ({where}): {told.licence}. {told.why}")
    for each in found:
        print(each, file=sys.stderr)
    if found:
        raise SystemExit(1)
    print(f"{len(packages)} packages: every licence is accepted or told")


if __name__ == "__main__":
    main()
