"""The signalling process of tests/paper.py with its calls in slots, which may die at any moment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from b2bua.call.leg import LegId
from b2bua.switchboard.call_slots import CallSlots
from b2bua.switchboard.checkpoints import Checkpoints
from media.events import AnyCommand, ClaimSession, SessionClaimed
from tests.paper import World


class Killed(World):
    """A signalling process whose calls are in slots, and which dies."""

    def __init__(self) -> None:
        self.file, self.nowhere = os.memfd_create("calls"), os.memfd_create("nowhere")
        super().__init__()

    def open(self) -> None:
        super().open()
        self.checkpoints = Checkpoints(CallSlots(self.file), self, self.board)

    async def begin(self) -> int:
        """Take up what there is; how many calls."""
        count = self.checkpoints.restore_calls()
        await self.checkpoints.start_engine()
        return count

    async def die(self) -> int:
        """What it wrote is all that is left; how many calls the next one has."""
        self.signalling.context.scheduler.close()
        self.board.abandon()
        self.checkpoints._slots = CallSlots(self.nowhere)  # timers of a dead process write nothing
        old, self.answers = self.signalling, []
        self.open()
        old.context.legs.clear()
        old.context.layer.run_client = old.context.layer.run_server = None  # type: ignore[assignment,method-assign]
        return await self.begin()

    def close(self) -> None:
        os.close(self.file)
        os.close(self.nowhere)

    # --- the engine, for the slots ----------------------------------------------------------------

    async def start(self, *, opened: Callable[[], None], leg_changed: Callable[[LegId], None]) -> None:
        opened()
        self.signalling.context.changed = leg_changed

    def write_legs(self, legs: Iterable[LegId]) -> bytes:
        return self.signalling.write_legs(legs)

    def restore_legs(self, data: bytes, *, acknowledged: bool = False) -> tuple[LegId, ...]:
        return self.signalling.restore_legs(data, acknowledged=acknowledged)

    def has_leg(self, leg: LegId) -> bool:
        return leg in self.signalling.context.legs

    # --- media, which has lost nothing ------------------------------------------------------------

    def send(self, command: AnyCommand) -> None:
        if not isinstance(command, ClaimSession):
            super().send(command)
            return
        self.answers.append((command, SessionClaimed(serial=0, masked=False)))
        self.loop.call_soon(self._answer)

    # --- what the peers know ----------------------------------------------------------------------

    def sent(self, host: str, *starts: str) -> list[bytes]:
        """What went there and begins so."""
        return [
            data
            for _, to, data in self.said
            if to == host and data.startswith(tuple(map(str.encode, starts)))
        ]
