"""Compares known vulnerabilities of the locked packages, as pip-audit finds them, with those that
were accepted.

Rule 1: an acceptance has a reason and a day on which it ends, at most a year away. From that day on
        the finding is refused again.
Rule 2: an acceptance of what is not found any more is refused too: it would hide the next one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from release import ROOT
from release.licences import normal

ACCEPTED: Final = ROOT / "release" / "accepted.toml"
LONGEST: Final = timedelta(days=366)
_LOCK: Final = ROOT / "requirements" / "run.lock"


class Acceptance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding that is accepted until a day. `id`: its name, or another of its names."""

    id: str
    package: str
    reason: str
    until: date


@dataclass(frozen=True, slots=True)
class Found:
    """A known vulnerability. `names`: all that it goes by, pip-audit's first; `fixed`: the versions
    without it."""

    package: str
    version: str
    names: tuple[str, ...]
    fixed: tuple[str, ...]


class NoData(Exception):
    """pip-audit could not say anything; the text says why."""


def read_accepted(path: Path = ACCEPTED) -> list[Acceptance]:
    """Raises OSError, and ValueError for what is no such file."""
    return msgspec.convert(tomllib.loads(path.read_text()).get("accepted", []), list[Acceptance])


def read_found(report: Mapping[str, Any]) -> list[Found]:
    """What pip-audit's JSON says. Raises NoData where it passed a package by."""
    found = []
    for package in report["dependencies"]:
        if "skip_reason" in package:
            raise NoData(f"{package['name']}: {package['skip_reason']}")
        for each in package["vulns"]:
            names = (each["id"], *each.get("aliases", ()))
            found.append(
                Found(normal(package["name"]), package["version"], names, tuple(each["fix_versions"]))
            )
    return found


def complaints(found: Sequence[Found], accepted: Sequence[Acceptance], today: date) -> Iterator[str]:
    """What is wrong."""
    used = set()
    for each in found:
        acceptance = next(
            (one for one in accepted if one.id in each.names and normal(one.package) == each.package), None
        )
        what = f"{each.package} {each.version}: {' '.join(each.names)}"
        if acceptance is None:
            remedy = f"fixed in {', '.join(each.fixed)}: make lock" if each.fixed else "no version without it"
            yield f"{what}; {remedy}"
            continue
        used.add(acceptance)
        if acceptance.until <= today:
            yield f"{what}; accepted until {acceptance.until} only ({acceptance.reason}): look at it anew"
    for acceptance in accepted:
        where = f"{ACCEPTED.name}: {acceptance.id} of {acceptance.package}"
        if not acceptance.reason.strip():
            yield f"{where}: expected a reason"
        if acceptance.until - today > LONGEST:
            yield f"{where}: {acceptance.until} is more than a year away"
        if acceptance not in used:
            yield f"{where} is not found any more: remove it"


def audit(lock: Path = _LOCK) -> Mapping[str, Any]:
    """pip-audit's report on a lock. Raises NoData."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes"]
    options = ["--disable-pip", "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    try:
        report: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.strip().splitlines()
        raise NoData(lines[-1] if lines else f"pip-audit ended with status {done.returncode}") from None
    return report


def main() -> None:
    """`python -m release.findings`. Status 1: something is wrong; 2: nobody knows, since the data
    cannot be reached."""
    try:
        found = read_found(audit())
    except NoData as error:
        print(f"no data: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    accepted = read_accepted()
    wrong = list(complaints(found, accepted, datetime.now(UTC).date()))
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        raise SystemExit(1)
    print(f"{len(found)} known vulnerabilities, all of them accepted in {ACCEPTED.name}")


if __name__ == "__main__":
    main()
