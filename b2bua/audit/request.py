"""Knows which entry asked for what is being carried out, so that what follows from it can name
it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Request:
    """One that is carried out: the number of its entry, and the way that it came. Timers and tasks
    that it starts inherit its context, and outlive it: then it is `over`."""

    number: int
    by: str
    over: bool = False


_REQUEST: ContextVar[Request | None] = ContextVar("audit_request", default=None)


@contextlib.contextmanager
def carrying_out(number: int, by: str = "") -> Iterator[None]:
    """What happens meanwhile follows from the entry of this number."""
    request = Request(number, by)
    _REQUEST.set(request)
    try:
        yield
    finally:
        request.over = True


def current_request() -> Request | None:
    """The request that is carried out now; None where nobody has asked."""
    request = _REQUEST.get()
    return None if request is None or request.over or not request.number else request
