"""Gathers what an evidence pack holds: a directory of files, to be signed.

Rule 1: what cannot be had is named in `missing`, with why; a pack never leaves it out silently.
Rule 2: no secret, no number of a caller, no digit of a card: configuration without secrets, counts,
        entries of the audit log as they stand.
"""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import sqlite3
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from b2bua.audit.entry import write_time
from b2bua.audit.excerpt import Excerpt, cut_excerpt
from b2bua.audit.masks import OFF, ON, masks_of
from b2bua.config.settings import Settings
from b2bua.doctor.examination import examine
from b2bua.doctor.health import ask_health
from b2bua.evidence import components
from b2bua.evidence.access import list_access
from b2bua.evidence.configuration import describe_settings
from b2bua.evidence.judges import Facts
from b2bua.evidence.page import write_page
from b2bua.evidence.records import count_records
from b2bua.evidence.roles import describe_roles
from b2bua.evidence.tls import examine_tls
from b2bua.self_test.report import PATTERN, read_report, signature_of
from tonewall.version import VERSION

AUDIT: Final = "audit"
_PATIENCE: Final = 3.0  # seconds for a running Tonewall to answer
_NO_ENTRY: Final = "no such entry in the audit log of this period"
SELF_TESTS: Final = "self-tests"
_MASKS: Final = frozenset({ON, OFF})
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

    @property
    def period(self) -> tuple[str, str]:
        """Begin and end as entries of the audit log write times."""
        return write_time(self.since.timestamp()), write_time(self.until.timestamp())


class Pack:
    """What is gathered into a directory. `contents`: of each file in JSON, by its name without
    the ending; `missing`: the files that are not there, with why; `faults`: what an auditor would
    ask about."""

    def __init__(self, to: Path) -> None:
        self.to = to
        self.contents: dict[str, Any] = {}
        self.missing: dict[str, str] = {}
        self.faults: list[str] = []

    def write(self, name: str, content: Any) -> None:
        """A file in JSON."""
        text = msgspec.json.encode(content)
        self.contents[name] = msgspec.json.decode(text)
        (self.to / f"{name}.json").write_bytes(msgspec.json.format(text, indent=1) + b"\n")

    def put(self, name: str, content: bytes | None, why: str) -> None:
        """A file as it is, or why there is none."""
        if content:
            (self.to / name).write_bytes(content)
        else:
            self.missing[name] = why


def gather(request: Request, to: Path, made_at: str, report: Callable[[str], None]) -> Pack:
    """Write the files of a pack into a directory. `made_at`: RFC 3339; `report`: is told what is
    done now. Raises OSError."""
    pack, settings = Pack(to), request.settings
    report("configuration")
    pack.write("configuration", describe_settings(settings))
    pack.write("roles", describe_roles())
    report("components and their hashes")
    pack.write("components", components.describe_components())
    pack.put("files.sha256", components.list_own_files().encode(), "")
    pack.put("sbom.json", components.read_sbom(), components.NO_SBOM)
    pack.put("leak-report.md", components.read_leak_report(), "not in this installation")
    _list_access(settings, pack)
    report("audit log")
    _gather_audit(request, pack)
    _gather_self_tests(request, pack)
    report("call records")
    pack.write("records", count_records(settings.signalling.cdr, request.since, request.until))
    try:
        pack.write("running", ask_health(settings.signalling.general.directory, _PATIENCE))
    except (OSError, ValueError, KeyError) as error:
        pack.missing["running.json"] = f"no running Tonewall answered ({type(error).__name__})"
    report("TLS")
    pack.write("tls", examine_tls(settings, ask_providers=request.ask_others))
    if request.ask_others:
        report("the checks of tonewall doctor")
        found = asyncio.run(examine(request.config))
        pack.write("doctor", [{**dataclasses.asdict(each), "level": each.level.name} for each in found])
    else:
        pack.missing["doctor.json"] = "not asked for"
    pack.write("missing", pack.missing)
    present = frozenset(str(path.relative_to(to)) for path in to.rglob("*"))
    facts = Facts(pack.contents, present, pack.missing)
    page = write_page(facts, f"tonewall {VERSION}", *request.period, made_at)
    (to / "index.html").write_text(page, encoding="utf-8")
    return pack


def _list_access(settings: Settings, pack: Pack) -> None:
    """Who may do what as the pack is made."""
    try:
        pack.write("access", list_access(settings.signalling, time.time()))
    except (OSError, sqlite3.Error) as error:
        pack.missing["access.json"] = f"it cannot be read ({getattr(error, 'strerror', None) or error})"


def _gather_audit(request: Request, pack: Pack) -> None:
    audit = request.settings.signalling.audit
    if audit.directory is None:
        pack.missing[AUDIT] = "[audit] directory: no audit log is kept"
        pack.faults.append(pack.missing[AUDIT])
        return
    (pack.to / AUDIT).mkdir()
    keep = _MASKS | _REVIEWS
    excerpt = cut_excerpt(audit.directory, request.key, *request.period, pack.to / AUDIT, keep)
    if not excerpt.log.lines:
        pack.missing[AUDIT] = f"there is no audit log in {audit.directory}"
        pack.faults.append(pack.missing[AUDIT])
    pack.write("audit-log", _describe_log(excerpt))
    pack.faults += [f"audit log: {each.file}: {each.what}" for each in excerpt.log.findings]
    _gather_masks(excerpt, pack)
    reviews = [msgspec.json.encode(each) + b"\n" for _, each in excerpt.kept if each.what in _REVIEWS]
    pack.put("access-reviews.jsonl", b"".join(reviews), _NO_ENTRY)


def _gather_masks(excerpt: Excerpt, pack: Pack) -> None:
    """Each mask of the period, for programs and for people, and the sums."""
    masks = list(masks_of(each for each in excerpt.kept if each[1].what in _MASKS))
    lines = [msgspec.json.encode(each.as_json()) + b"\n" for each in masks]
    pack.put("masks.jsonl", b"".join(lines), _NO_ENTRY)
    pack.put("masks.txt", "".join(f"{each.as_text()}\n" for each in masks).encode(), _NO_ENTRY)
    if masks:
        sums = {
            name: sum(int(each.end.get(name, 0)) for each in masks)
            for name in ("keys", "infos", "withheld", "octets", "left", "passed", "alarms")
        }
        uncounted = sum("keys" not in each.end for each in masks)
        pack.write("masks", {"masks": len(masks), "not_counted": uncounted, **sums})
    else:
        pack.missing["masks.json"] = _NO_ENTRY


def _gather_self_tests(request: Request, pack: Pack) -> None:
    """The reports of the period that the key signed; one that it did not is a fault."""
    directory = request.settings.signalling.audit.reports
    since, until = request.period
    found = []
    for path in sorted(directory.glob(PATTERN)) if directory is not None else ():
        try:
            trial, is_signed = read_report(path, request.key)
        except msgspec.MsgspecError:
            pack.faults.append(f"{path.name}: no report of a self-test")
            continue
        if not since <= trial.at < until:
            continue
        if not is_signed:
            pack.faults.append(f"{path.name}: not signed by the key")
            continue
        (pack.to / SELF_TESTS).mkdir(exist_ok=True)
        for each in (path, signature_of(path)):
            shutil.copyfile(each, pack.to / SELF_TESTS / each.name)
        found.append({"file": path.name, "at": trial.at, "result": trial.result, "why": trial.why})
    if found:
        pack.write("self-tests", found)
    else:
        pack.missing["self-tests.json"] = "no signed report of a self-test in this period"


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
