"""Logging as a process of ours sets it up, undone afterwards: what a test leaves behind would be
another's."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import structlog

from tonewall.log import configure_log


@contextmanager
def configured(process: str, level: str, file: TextIO) -> Iterator[None]:
    """The log of a process, at this level, into a file."""
    root = logging.getLogger()
    handlers, number = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    configure_log(process, level, file)
    try:
        yield
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(number)
