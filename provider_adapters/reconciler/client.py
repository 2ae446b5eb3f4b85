"""The face of the reconciler that b2bua sees: inquiries and requests go down one unix socket,
findings and results come up.

Rule: a request that was handed over and got no result is Unknown; one that could not be is Failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

from provider_adapters.payment import (
    Charge,
    Failed,
    FollowUp,
    FollowUpOutcome,
    Operation,
    Outcome,
    Unknown,
)
from provider_adapters.reconciler.messages import (
    Findings,
    FromReconciler,
    Hello,
    Inquiry,
    LaterRequest,
    LaterResult,
)
from tonewall.frames import BadFrame, FrameConnection
from tonewall.log import get_logger

log = get_logger(__name__)
_GONE = "reconciler_gone"


class ReconcilerClient:
    """A connection to the reconciler that comes back by itself. `on_findings` gets what it says of
    an inquiry."""

    def __init__(self, path: Path, on_findings: Callable[[Findings], None]) -> None:
        self._path, self._on_findings = path, on_findings
        self._connection: FrameConnection[FromReconciler] | None = None
        self._waiting: dict[int, asyncio.Future[FollowUpOutcome | Outcome]] = {}
        self._number = 0
        self._operations: dict[str, frozenset[Operation]] = {}

    @property
    def connected(self) -> bool:
        """Whether it would be reached now."""
        return self._connection is not None

    def operations(self, provider: str = "") -> frozenset[Operation] | None:
        """What a provider can do, the default one where none is named; None until the reconciler
        has said it."""
        if not provider:
            return next(iter(self._operations.values()), None)
        return self._operations.get(provider)

    def inquire(self, keys: tuple[str, ...], *, now: bool = False) -> bool:
        """Ask what became of these charges; False where it is away."""
        if self._connection is None:
            return False
        self._connection.send(Inquiry(keys=keys, now=now))
        return True

    async def follow_up(self, request: FollowUp, provider: str = "") -> FollowUpOutcome:
        """Capture, void or refund."""
        number = self._next_number()
        outcome = await self._request(LaterRequest(number=number, provider=provider, follow_up=request))
        return cast("FollowUpOutcome", outcome)

    async def charge_saved(self, charge: Charge, token: str, provider: str = "") -> Outcome:
        """Charge a card that the provider saved."""
        number = self._next_number()
        request = LaterRequest(number=number, provider=provider, charge=charge, token=token)
        return cast("Outcome", await self._request(request))

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    async def _request(self, request: LaterRequest) -> FollowUpOutcome | Outcome:
        if self._connection is None:
            return Failed(reason=_GONE)
        result: asyncio.Future[FollowUpOutcome | Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[request.number] = result
        self._connection.send(request)
        return await result

    async def run(self, retry: float = 0.2) -> None:
        """Connect, read until the connection is lost, connect again; for ever. `retry` in
        seconds."""
        loop = asyncio.get_running_loop()
        kind = cast("type[FromReconciler]", FromReconciler)
        while True:
            lost: asyncio.Future[Exception | None] = loop.create_future()
            connection = FrameConnection(kind, self._received, lost.set_result)
            try:
                await loop.create_unix_connection(lambda: connection, str(self._path))  # noqa: B023
            except OSError:
                await asyncio.sleep(retry)
                continue
            self._connection = connection
            try:
                error = await lost
                if isinstance(error, BadFrame):
                    log.error("bad_frame_from_reconciler", exc_info=error)
            finally:
                self._connection = connection.lost = None
                connection.close()
                for result in self._waiting.values():
                    if not result.done():
                        result.set_result(Unknown(reason=_GONE))
                self._waiting.clear()

    def _received(self, message: FromReconciler) -> None:
        if isinstance(message, Hello):
            self._operations = {name: frozenset(each) for name, each in message.operations.items()}
            return
        if isinstance(message, Findings):
            self._on_findings(message)
            return
        assert isinstance(message, LaterResult)
        result = self._waiting.pop(message.number, None)
        if result is not None and not result.done():
            result.set_result(message.outcome)
