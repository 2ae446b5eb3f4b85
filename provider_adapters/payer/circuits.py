"""Keeps a circuit breaker for each provider: after so many faults in a row it is passed by for a
while.

Rule 1: what a provider decides (an approval, a decline, a request that it refuses) closes its
        circuit; that it could not be reached, would not have us, or left a charge open is a fault.
Rule 2: after the pause one charge tries; the others pass it by until that one is back.
Rule 3: payers share the states through a small file beside the journal. Where it cannot be read or
        written every circuit is closed: a breaker saves time, and must never stop a payment.

Source: M. Nygard, Release It!, "Circuit Breaker". Times are seconds since the epoch.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from provider_adapters.payment import DIFFERENCES, Failed, Outcome, Unknown
from tonewall.log import get_logger

log = get_logger(__name__)
# Failed, and no decision of the provider's about this charge.
_FAULTS = frozenset(
    {
        "host_not_found", "no_connection", "no_connection_in_time", "certificate_not_trusted",
        "client_certificate_refused", "tls_failed", "no_answer_in_time", "connection_lost",
        "answer_too_large", "key_refused", "account_refused", "try_again_later",
    }
)  # fmt: skip
CIRCUIT_OPEN = "circuit_open"


class CircuitState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's. `failures`: in a row; `opened_at`: None while it is closed; `tried_at`: when
    the one charge that may try it began."""

    failures: int = 0
    opened_at: float | None = None
    tried_at: float | None = None

    def state(self, now: float, pause: float) -> CircuitState:
        """What it is for a charge that comes now."""
        if self.opened_at is None:
            return CircuitState.CLOSED
        if now - self.opened_at < pause:
            return CircuitState.OPEN
        is_tried = self.tried_at is not None and now - self.tried_at < pause
        return CircuitState.OPEN if is_tried else CircuitState.HALF_OPEN

    def record(self, outcome: Outcome, now: float, limit: int) -> Circuit:
        """After a charge. `limit`: faults in a row that open it; 0: it never opens."""
        if not is_fault(outcome):
            return Circuit()
        failures = self.failures + 1
        is_open = self.opened_at is not None or (limit and failures >= limit)
        return Circuit(failures=failures, opened_at=now if is_open else None)


def is_fault(outcome: Outcome) -> bool:
    """Whether the provider was not to be had."""
    if isinstance(outcome, Unknown):
        return outcome.reason not in DIFFERENCES
    return isinstance(outcome, Failed) and outcome.reason in _FAULTS


class Circuits:
    """The file at `path`. Methods never raise for a fault of the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def admit(self, provider: str, now: float, pause: float) -> CircuitState:
        """The circuit's state for a charge that comes now. Where it is half open this charge is the
        one that tries."""
        with contextlib.suppress(OSError), self._locked() as file:
            circuits = _read(file)
            circuit = circuits.get(provider, Circuit())
            state = circuit.state(now, pause)
            if state is CircuitState.HALF_OPEN:
                _write(file, circuits | {provider: msgspec.structs.replace(circuit, tried_at=now)})
            return state
        return CircuitState.CLOSED

    def record(self, provider: str, outcome: Outcome, now: float, limit: int) -> None:
        """Take note of how a charge ended there."""
        with contextlib.suppress(OSError), self._locked() as file:
            circuits = _read(file)
            before = circuits.get(provider, Circuit())
            after = before.record(outcome, now, limit)
            if after != before:
                _write(file, circuits | {provider: after})
            if after.opened_at is not None and before.opened_at is None:
                log.error(
                    "circuit_opened", provider=provider, count=after.failures, hint="see its last outcomes"
                )
            elif after.opened_at is None and before.opened_at is not None:
                log.info("circuit_closed", provider=provider)

    def states(self, now: float, pauses: dict[str, float]) -> dict[str, CircuitState]:
        """Of each of these providers, by name with its pause."""
        circuits: dict[str, Circuit] = {}
        with contextlib.suppress(OSError), self._locked() as file:
            circuits = _read(file)
        return {name: circuits.get(name, Circuit()).state(now, pause) for name, pause in pauses.items()}

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)


def _read(file: int) -> dict[str, Circuit]:
    try:
        return msgspec.json.decode(os.pread(file, 65_536, 0) or b"{}", type=dict[str, Circuit])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}  # cut short by a crash


def _write(file: int, circuits: dict[str, Circuit]) -> None:
    data = msgspec.json.encode(circuits)
    os.pwrite(file, data, 0)
    os.ftruncate(file, len(data))
