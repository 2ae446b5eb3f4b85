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
    Link,
    LinkOutcome,
    LinkRequest,
    Operation,
    Outcome,
    Unknown,
)
from provider_adapters.reconciler.messages import (
    GONE,
    Findings,
    FromReconciler,
    Hello,
    Inquiry,
    LaterInquiry,
    LaterRequest,
    LaterResult,
    LinkClosing,
    Settle,
    Settled,
)
from tonewall.frames import BadFrame, FrameConnection
from tonewall.log import get_logger

log = get_logger(__name__)


class ReconcilerClient:
    """A connection to the reconciler that comes back by itself. `on_findings` gets what it says of
    an inquiry."""

    def __init__(self, path: Path, on_findings: Callable[[Findings], None]) -> None:
        self._path, self._on_findings = path, on_findings
        self._connection: FrameConnection[FromReconciler] | None = None
        self._waiting: dict[int, asyncio.Future[LaterResult]] = {}
        self._settling: dict[int, asyncio.Future[Settled | None]] = {}
        self._number = 0
        self._operations: dict[str, frozenset[Operation]] = {}

    @property
    def connected(self) -> bool:
        """Whether it would be reached now."""
        return self._connection is not None

    def names(self) -> tuple[str, ...]:
        """The providers, the default one first; none until the reconciler has said them."""
        return tuple(self._operations)

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

    async def resolve(
        self, request: FollowUp, handed_at: float | None, provider: str = ""
    ) -> LaterResult | None:
        """What became of a request; see LaterInquiry. None where the reconciler is away."""
        number = self._next_number()
        message = LaterInquiry(number=number, follow_up=request, handed_at=handed_at, provider=provider)
        result = await self._ask(message)
        return None if result.outcome in (Failed(reason=GONE), Unknown(reason=GONE)) else result

    async def charge_saved(
        self, charge: Charge, token: str, provider: str = "", saved_from: str = ""
    ) -> Outcome:
        """Charge a card that the provider saved."""
        number = self._next_number()
        request = LaterRequest(
            number=number, provider=provider, charge=charge, token=token, saved_from=saved_from
        )
        return cast("Outcome", await self._request(request))

    async def open_link(self, request: LinkRequest, provider: str = "") -> LinkOutcome:
        """Open a payment link."""
        number = self._next_number()
        later = LaterRequest(number=number, provider=provider, link=request)
        return cast("LinkOutcome", await self._request(later))

    async def close_link(self, key: str, provider: str = "") -> Outcome:
        """Close a payment link; what was paid before it closed."""
        message = LinkClosing(number=self._next_number(), key=key, provider=provider)
        return cast("Outcome", (await self._ask(message)).outcome)

    async def settle(
        self,
        charge: Charge,
        follow_up: FollowUp | None,
        outcome: FollowUpOutcome | Outcome,
        who: str,
        provider: str = "",
    ) -> Settled | None:
        """Note what a person says; see Settle. None where the reconciler is away: it may have noted
        it."""
        if self._connection is None:
            return None
        number = self._next_number()
        result: asyncio.Future[Settled | None] = asyncio.get_running_loop().create_future()
        self._settling[number] = result
        self._connection.send(
            Settle(
                number=number,
                charge=charge,
                follow_up=follow_up,
                outcome=outcome,
                provider=provider,
                who=who,
            )
        )
        return await result

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    async def _request(self, request: LaterRequest) -> FollowUpOutcome | Outcome | Link:
        outcome = (await self._ask(request)).outcome
        assert outcome is not None
        return outcome

    async def _ask(self, request: LaterRequest | LinkClosing | LaterInquiry) -> LaterResult:
        if self._connection is None:
            return LaterResult(number=request.number, outcome=Failed(reason=GONE))
        result: asyncio.Future[LaterResult] = asyncio.get_running_loop().create_future()
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
                for number, result in self._waiting.items():
                    if not result.done():
                        result.set_result(LaterResult(number=number, outcome=Unknown(reason=GONE)))
                self._waiting.clear()
                for settled in self._settling.values():
                    if not settled.done():
                        settled.set_result(None)
                self._settling.clear()

    def _received(self, message: FromReconciler) -> None:
        if isinstance(message, Hello):
            self._operations = {name: frozenset(each) for name, each in message.operations.items()}
            return
        if isinstance(message, Findings):
            self._on_findings(message)
            return
        if isinstance(message, Settled):
            settled = self._settling.pop(message.number, None)
            if settled is not None and not settled.done():
                settled.set_result(message)
            return
        assert isinstance(message, LaterResult)
        result = self._waiting.pop(message.number, None)
        if result is not None and not result.done():
            result.set_result(message)
