"""Builds the audit log that the settings want, and removes what is older than they say."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from b2bua.audit.entry import Result
from b2bua.audit.handed_in import CommandLog
from b2bua.audit.log_file import LogFile
from b2bua.audit.recorder import Recorder
from b2bua.audit.signing_key import read_private
from b2bua.config.audit_copies import build_copies
from b2bua.config.audit_settings import AuditSettings
from b2bua.config.settings import SignallingSettings
from tonewall.ini import Section
from tonewall.tasks import BackgroundTasks
from tonewall.version import VERSION

_DAY = 86_400.0  # seconds
_EXPIRE_INTERVAL = 3600.0  # seconds
_HANDED_IN_INTERVAL = 1.0  # seconds


def build_recorder(settings: SignallingSettings, now: Callable[[], float]) -> Recorder | None:
    """The log, not open yet, with its copies; None where none is kept. `now`: seconds since the
    epoch. Raises ConfigError where a certificate cannot be used."""
    open_log = _opener(settings.audit, now)
    if open_log is None:
        return None
    recorder = Recorder(
        open_log,
        now,
        configuration=digest(settings),
        required=settings.audit.required,
    )
    recorder.copies = build_copies(settings.audit, recorder, now)
    recorder.directory = settings.audit.directory
    return recorder


def build_command_log(settings: AuditSettings, who: str = "") -> CommandLog:
    """The log as a command notes in it what it does; of the user that runs it, unless `who` is
    named."""
    return CommandLog(settings.directory, _opener(settings, time.time), who)


def _opener(settings: AuditSettings, now: Callable[[], float]) -> Callable[[], LogFile] | None:
    directory, key_file = settings.directory, settings.key_file
    if directory is None or key_file is None:
        return None
    return lambda: LogFile(directory, read_private(key_file), now, erasable=settings.erasable)


def start_log(recorder: Recorder | None, settings: AuditSettings, tasks: BackgroundTasks) -> None:
    """Write what runs here, what comes and what commands hand in, and remove what is too old."""
    if recorder is not None and settings.directory is not None:
        versions: dict[str, str | int] = {"version": VERSION, "python": platform.python_version()}
        recorder.note(recorder.entry("tonewall", "configuration", Result.NOTED, details=versions))
        tasks.start(recorder.run(), "audit")
        tasks.start(_expire(recorder, settings.retention), "old audit")
        tasks.start(_take_handed_in(recorder, settings.directory), "audit of commands")
        recorder.copies.start(tasks)


async def end_log(recorder: Recorder | None) -> None:
    """Write what waits, sign the end, and copy it."""
    if recorder is not None:
        await recorder.end()
        await recorder.copies.end()


async def _expire(recorder: Recorder, retention: float) -> None:
    while retention:
        await recorder.expire(time.time() - retention * _DAY)
        await asyncio.sleep(_EXPIRE_INTERVAL)


async def _take_handed_in(recorder: Recorder, directory: Path) -> None:
    while True:
        recorder.try_again()
        await recorder.take_handed_in(directory)
        await asyncio.sleep(_HANDED_IN_INTERVAL)


def digest(settings: SignallingSettings) -> str:
    """Sixteen hexadecimal digits that change with any setting of the b2bua process but a secret."""
    texts = [f"{header} {section.model_dump_json()}" for header, section in _sections(settings)]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _sections(settings: SignallingSettings) -> Iterator[tuple[str, Section]]:
    """Each with its header."""
    for each in dataclasses.fields(settings):
        value = getattr(settings, each.name)
        yield from value.items() if isinstance(value, Mapping) else [(value.section, value)]
