"""Counts what a media process holds, for b2bua's health check."""

from __future__ import annotations

import os

from media.events import Counted
from media.service.capture_driver import CaptureDriver
from media.service.payers import Payers


def count_sessions(
    serial: int, sessions: int, captures: CaptureDriver, payers: Payers, servers: int | None, leaks: int
) -> Counted:
    """The answer to CountSessions. `servers`: that answer, where rtpengine relays; `leaks`: keys
    that the canary stopped."""
    return Counted(
        serial=serial,
        sessions=sessions,
        captures=len(captures),
        payers=len(payers),
        payer_fault=payers.fault,
        servers=servers,
        leaks=leaks,
        descriptors=len(os.listdir("/proc/self/fd")),
    )
