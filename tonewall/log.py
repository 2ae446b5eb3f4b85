"""Writes entries to standard error, as lines of JSON or of text, with an allow-list of fields.

Rule 1: an event is a fixed name in snake_case, never built from data: `call_failed`. What varies
        goes into fields; a sentence for the reader goes into `why` or `hint`.
Rule 2: a module's logger is `log = get_logger(__name__)`, and each of its lines has `module`.
Rule 3: a field that is not in FIELDS (tonewall/log_fields.py) is dropped, and `dropped` counts
        them; so is a value that is no bool, short printable text or number with fewer digits than
        a card's.
Rule 4: an exception is logged as its type and where it was raised, never its text: texts quote
        their input.
Rule 5: a log that cannot be written (a terminal or pipe that closed, a full disk) stops nothing:
        its lines are lost.
Rule 6: no field is for a telephone number. One that gets into a text all the same is cut to its
        last two digits.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TextIO, cast

import msgspec
import structlog

from tonewall.log_fields import FIELDS
from tonewall.log_settings import LEVELS, LogFormat, LogLevel, LogPage, LogSettings, inherited_page

_HEAD = frozenset({"timestamp", "level", "process", "event", "module"})  # of a line of text
_MAX_TEXT = 200
_MAX_NUMBER = 10**11  # the least number of 12 digits; card numbers have 12 to 19 (ISO/IEC 7812-1)
_NAMES = frozenset(name for name, field in FIELDS.items() if field.is_name)
_NAMED_NUMBER = re.compile(
    r"(?:(?<=\bphone:)|(?<=\bcaller:)|(?<=\btel:)|(?<=\bsips:)|(?<=\bsip:)|(?=\+))\+?[0-9]{3,}"
)
_NUMBER = re.compile(r"[0-9]{7,}")  # the shortest number of a subscriber
_encoder = msgspec.json.Encoder()
_loggers: list[structlog.typing.FilteringBoundLogger] = []  # all that were handed out, one a module
_ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def _allow(_logger: object, _name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    dropped = 0
    for name in list(entry):
        value = entry[name]
        if isinstance(value, str):
            plain = len(value) <= _MAX_TEXT and value.isprintable()
        else:
            plain = value is None or (isinstance(value, (bool, int, float)) and abs(value) < _MAX_NUMBER)
        if name not in FIELDS or not plain:
            del entry[name]
            dropped += 1
        elif isinstance(value, str):
            entry[name] = _without_numbers(name, value)
    if dropped:
        entry["dropped"] = dropped
    return entry


def _without_numbers(field: str, text: str) -> str:
    text = _NAMED_NUMBER.sub(_last_two, text)
    return text if field in _NAMES else _NUMBER.sub(_last_two, text)


def _last_two(found: re.Match[str]) -> str:
    return f"…{found[0][-2:]}"


def _place(_logger: object, _name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    info = entry.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else (sys.exc_info()[1] if info else None)
    if error is not None:
        entry["error"] = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)
        if frames:
            entry["at"] = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}"
    return entry


def _line(_logger: object, _name: str, entry: MutableMapping[str, Any]) -> str:
    if _how.read().format == "text":
        return _text(entry)
    return _encoder.encode(entry).decode()


def _text(entry: MutableMapping[str, Any]) -> str:
    """The entry for a person: time, level, process, event, its fields, and the module at the
    end."""
    fields = {name: value for name, value in entry.items() if name not in _HEAD and value is not None}
    words = [f"{name}={_value(value)}" for name, value in fields.items()]
    moment, level = str(entry.get("timestamp", ""))[11:23], str(entry.get("level", ""))
    head = f"{moment:12} {level.upper():7} {entry.get('process', ''):10} {entry.get('event', '')}"
    return " ".join([head, *words, f"({entry.get('module', '')})"])


def _value(value: object) -> str:
    text = _encoder.encode(value).decode()
    bare = text[1:-1]
    return bare if isinstance(value, str) and bare == value and bare and " " not in bare else text


class _How:
    """How this process logs: of the supervisor's page where there is one, else as it was
    configured."""

    def __init__(self) -> None:
        self.page: LogPage | None = None
        self.own = LogSettings()
        self.process = ""

    def read(self) -> LogSettings:
        return self.page.read() if self.page is not None else self.own


_how = _How()


def _wanted(_logger: object, name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The entry, where its module logs its level now."""
    if LEVELS.get(name, logging.ERROR) < _how.read().least(str(entry.get("module", "")), time.monotonic()):
        raise structlog.DropEvent
    entry.setdefault("process", _how.process)  # a thread has no context of its process
    return entry


class _Foreign(logging.Handler):
    """Other libraries' records: the logger's name, level and place only, since their texts may
    quote what they handled."""

    def emit(self, record: logging.LogRecord) -> None:
        entry = log.bind(what=record.name, at=f"{record.filename}:{record.lineno}")
        entry.log(record.levelno, "library", exc_info=record.exc_info[1] if record.exc_info else None)


class _Lossy:
    """A text file whose failures stop nothing: rule 5."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._file.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._file.flush()


def configure_log(
    process: str, level: LogLevel = "info", file: TextIO | None = None, form: LogFormat = "json"
) -> None:
    """Set up the log of this process. `file`: where it goes instead of standard error. Where the
    supervisor handed on how it is logged, that counts instead of `level` and `form`."""
    _how.own, _how.page, _how.process = LogSettings(form, level), inherited_page(), process
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _wanted,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _place,
            _allow,
            _line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Lossy(file or sys.stderr))),
        cache_logger_on_first_use=True,
    )
    for logger in _loggers:  # what they have cached is of the configuration before
        vars(logger).pop("bind", None)
    structlog.contextvars.bind_contextvars(process=process)
    root = logging.getLogger()
    root.handlers[:] = [_Foreign()]
    root.setLevel(max(LEVELS[level], logging.INFO))
    logging.captureWarnings(True)
    sys.excepthook = _last_words
    threading.excepthook = _last_words_of_thread
    sys.unraisablehook = _unraisable


def log_page() -> LogPage | None:
    """The page by which all processes log; None where no supervisor handed it on."""
    return _how.page


def use_page(page: LogPage | None) -> None:
    """Log by this page from now on, as its owner."""
    _how.page = page


def _last_words(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """Instead of Python's traceback, whose last line is the exception's text."""
    log.error("died", exc_info=error)


def _last_words_of_thread(died: threading.ExceptHookArgs) -> None:
    if died.exc_type is not SystemExit:  # which ends a thread quietly
        log.error("thread_died", exc_info=died.exc_value)


def _unraisable(met: sys.UnraisableHookArgs) -> None:
    """Instead of Python's report, which quotes the exception and the object."""
    log.error("exception_ignored", exc_info=met.exc_value)


def log_ids(**ids: str | None) -> AbstractContextManager[object]:
    """Have every entry of this task carry these ids while the context lasts: `payment`, `call`.
    An entry's own fields win."""
    return structlog.contextvars.bound_contextvars(**{name: it for name, it in ids.items() if it})


def get_logger(module: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of a module. `module`: its `__name__`; for one that runs as a program, the name
    that it was started by."""
    if module == "__main__" and (spec := getattr(sys.modules[module], "__spec__", None)) is not None:
        module = spec.name
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=module)
    _loggers.append(logger)
    return logger


log = get_logger(__name__)
