"""Fixtures of the tests of the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator

import pytest

from tests.unit.b2bua.supervise.played_machine import KEY, Machine


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    machine = Machine()
    monkeypatch.setattr(asyncio, "create_subprocess_exec", machine.start)
    monkeypatch.setenv("TONEWALL_PROVIDER_API_KEY", KEY)  # as an administrator may have given it
    yield machine
    for process in machine.started:
        for number in process.handed:
            with contextlib.suppress(OSError):
                os.close(number)
