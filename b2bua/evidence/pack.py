"""Gathers what an evidence pack holds: a directory of files, to be signed.

Rule 1: what cannot be had is named in `missing`, with why; a pack never leaves it out silently.
Rule 2: no secret, no number of a caller, no digit of a card: configuration without secrets, counts,
        entries of the audit log as they stand.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from b2bua.audit.entry import write_time
from b2bua.audit.excerpt import Excerpt, cut_excerpt
from b2bua.config.settings import Settings
from b2bua.doctor.examination import examine
from b2bua.evidence import components
from b2bua.evidence.configuration import describe_settings
from b2bua.evidence.records import count_records
from b2bua.evidence.tls import examine_tls

AUDIT: Final = "audit"
_MASKS: Final = frozenset({"mask_on", "mask_off"})
_REVIEWS: Final = frozenset({"review_access"})


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: the period [since, until), and from where. `ask_others`: providers and
    listeners are connected to, and the checks of `tonewall doctor` are run."""

    settings: Settings
    config: Path | None
    key: Ed25519PublicKey
    since: datetime
    until: datetime
    ask_others: bool = True


@dataclasses.dataclass(slots=True)
class Pack:
    """What was gathered. `missing`: the files that are not there, with why; `faults`: what an
    auditor would ask about."""

    missing: dict[str, str] = dataclasses.field(default_factory=dict)
    faults: list[str] = dataclasses.field(default_factory=list)


def gather(request: Request, to: Path, report: Callable[[str], None]) -> Pack:
    """Write the files of a pack into a directory. `report`: is told what is done now. Raises
    OSError."""
    pack, settings = Pack(), request.settings
    report("configuration")
    _write(to / "configuration.json", describe_settings(settings))
    report("components and their hashes")
    _write(to / "components.json", components.describe_components())
    (to / "files.sha256").write_text(components.list_own_files())
    _put(to / "sbom.json", components.read_sbom(), components.NO_SBOM, pack)
    _put(to / "leak-report.md", components.read_leak_report(), "not in this installation", pack)
    report("audit log")
    _gather_audit(request, to, pack)
    report("call records")
    _write(to / "records.json", count_records(settings.signalling.cdr, request.since, request.until))
    report("TLS")
    _write(to / "tls.json", examine_tls(settings, ask_providers=request.ask_others))
    if request.ask_others:
        report("the checks of tonewall doctor")
        found = asyncio.run(examine(request.config))
        _write(to / "doctor.json", [{**dataclasses.asdict(each), "level": each.level.name} for each in found])
    else:
        pack.missing["doctor.json"] = "not asked for"
    _write(to / "missing.json", pack.missing)
    return pack


def _gather_audit(request: Request, to: Path, pack: Pack) -> None:
    audit = request.settings.signalling.audit
    if audit.directory is None:
        pack.missing[AUDIT] = "[audit] directory: no audit log is kept"
        pack.faults.append(pack.missing[AUDIT])
        return
    since, until = (write_time(each.timestamp()) for each in (request.since, request.until))
    (to / AUDIT).mkdir()
    keep = _MASKS | _REVIEWS
    excerpt = cut_excerpt(audit.directory, request.key, since, until, to / AUDIT, keep)
    if not excerpt.log.lines:
        pack.missing[AUDIT] = f"there is no audit log in {audit.directory}"
        pack.faults.append(pack.missing[AUDIT])
    _write(to / "audit-log.json", _describe_log(excerpt))
    pack.faults += [f"audit log: {each.file}: {each.what}" for each in excerpt.log.findings]
    for name, wanted in (("masks.jsonl", _MASKS), ("access-reviews.jsonl", _REVIEWS)):
        entries = [each for each in excerpt.kept if each.what in wanted]
        if entries:
            lines = (msgspec.json.encode(each) + b"\n" for each in entries)
            (to / name).write_bytes(b"".join(lines))
        else:
            pack.missing[name] = "no such entry in the audit log of this period"


def _describe_log(excerpt: Excerpt) -> dict[str, Any]:
    log = excerpt.log
    return {
        "whole_log": {
            "lines": log.lines,
            "entries": log.entries,
            "first": log.first,
            "sound": log.is_sound,
            "findings": log.findings,
        },
        "excerpt": {"first": excerpt.first, "last": excerpt.last, "ends_at_checkpoint": excerpt.is_closed},
        "entries_of_the_period": dict(sorted(excerpt.counts.items())),
    }


def _put(path: Path, content: bytes | None, why: str, pack: Pack) -> None:
    if content is None:
        pack.missing[path.name] = why
    else:
        path.write_bytes(content)


def _write(path: Path, content: Any) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
