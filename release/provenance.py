"""Says how files of a release were made: an in-toto statement with the provenance of slsa.dev,
version 1.

Rule 1: the same sources and files are the same statement: its only time is that of the commit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from release import ROOT

_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PREDICATE: Final = "https://slsa.dev/provenance/v1"
_LOCKS: Final = tuple(f"requirements/{name}.lock" for name in ("run", "extras", "build", "dev"))


def make_provenance(
    files: Iterable[Path], commit: str, version: str, epoch: int, tools: dict[str, str]
) -> bytes:
    """The statement. `commit`: what the files were made of; `epoch`: its time, seconds; `tools`:
    versions of what made them."""
    locks = [{"uri": f"file:{name}", "digest": {"sha256": sha256(ROOT / name)}} for name in _LOCKS]
    made_at = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    statement: dict[str, Any] = {
        "_type": _STATEMENT,
        "subject": [
            {"name": path.name, "digest": {"sha256": sha256(path)}}
            for path in sorted(files, key=lambda each: each.name)
        ],
        "predicateType": _PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:tonewall:make-release:1",
                "externalParameters": {"version": version},
                "internalParameters": {"SOURCE_DATE_EPOCH": epoch},
                "resolvedDependencies": [{"uri": "git:tonewall", "digest": {"gitCommit": commit}}, *locks],
            },
            "runDetails": {
                "builder": {"id": "urn:tonewall:builder:local", "version": tools},
                "metadata": {"startedOn": made_at},
            },
        },
    }
    return json.dumps(statement, indent=1, sort_keys=True).encode() + b"\n"


def sha256(path: Path) -> str:
    """In hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
