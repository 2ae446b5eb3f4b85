"""Fixtures of the tests on the wire: peers that are stopped whatever happens to the test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from b2bua.demo.phones import Phone
from tests.complaints import keep
from tests.wire.peers import baresip, rtpengine, sipp, tshark


class Peers:
    """Starts independent peers in directories of their own; the fixture stops them, the last one
    first."""

    def __init__(self, directory: Path, stack: contextlib.AsyncExitStack) -> None:
        self.directory = directory
        self._stack = stack

    def folder(self, name: str) -> Path:
        """A directory below the test's own."""
        folder = self.directory / name
        folder.mkdir(exist_ok=True)
        return folder

    async def phone(self, role: str, **options: Any) -> Phone:
        """A pjsua2 telephone; options as of `Phone.start`."""
        phone = await Phone.start(role, **options)
        self._stack.push_async_callback(phone.stop)
        return phone

    async def baresip(self, **options: Any) -> baresip.Baresip:
        """A baresip; options as of `Baresip.start`."""
        if not baresip.available():
            pytest.skip("baresip (Debian: baresip-core) is not here")
        phone = await baresip.Baresip.start(self.folder("baresip"), **options)
        self._stack.push_async_callback(phone.stop)
        return phone

    async def sipp(self, script: Path, **options: Any) -> sipp.Sipp:
        """A sipp that runs `script`, in the script's directory; options as of `Sipp.start`."""
        if not sipp.available():
            pytest.skip("sipp (Debian: sip-tester) is not here")
        started = await sipp.Sipp.start(script, script.parent, **options)
        self._stack.push_async_callback(started.stop)
        return started

    async def rtpengine(self, digits: int | None, index: int = 0) -> rtpengine.Rtpengine:
        """A daemon; arguments as of `Rtpengine`."""
        if not rtpengine.available():
            pytest.skip("rtpengine (Debian: rtpengine-daemon) is not here")
        daemon = rtpengine.Rtpengine(self.directory, index, digits)
        self._stack.push_async_callback(daemon.stop)
        return await daemon.start()

    @contextlib.asynccontextmanager
    async def capture(self, name: str, filter_expression: str = "udp") -> AsyncIterator[Path]:
        """tshark on the loopback interface while the block runs; the file is complete behind the
        block."""
        if not tshark.available():
            pytest.skip("tshark is not here")
        capture = await tshark.Capture.start(self.directory / f"{name}.pcap", filter_expression)
        complete = False
        try:
            yield capture.file
            complete = True
        finally:
            await capture.stop(complete=complete)


@pytest.fixture
async def peers(tmp_path: Path) -> AsyncIterator[Peers]:
    async with contextlib.AsyncExitStack() as stack:
        yield Peers(tmp_path, stack)


@pytest.fixture(autouse=True)
def _own_process_is_watched(_without_complaint: None) -> Iterator[None]:
    """Engines that run in the test's process log there."""
    structlog.reset_defaults()
    structlog.configure(
        processors=[structlog.processors.add_log_level, keep, *structlog.get_config()["processors"]]
    )
    yield
    structlog.reset_defaults()
