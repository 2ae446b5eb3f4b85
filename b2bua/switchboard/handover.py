"""Hands all calls over to another process, and takes them over from one."""

from __future__ import annotations

from b2bua.switchboard.context import SwitchboardContext
from b2bua.switchboard.entry import restore_entries, snapshot_entries
from b2bua.switchboard.executor import Executor


class Handover:
    """The part of the switchboard that concerns its end, where another process goes on."""

    _context: SwitchboardContext
    _executor: Executor

    def snapshot(self, now: float) -> bytes:
        """Serialise every call, between two events. The engine's snapshot comes first, because it
        delivers the events that wait. `now`: on the monotonic clock. Raises SnapshotError."""
        return snapshot_entries(self._context.registry.all(), self._context.limiter.places(), now)

    def restore(self, data: bytes, now: float) -> None:
        """Go on with the calls of a snapshot, before the first event. Raises SnapshotError; then
        nothing was restored."""
        entries, places = restore_entries(data, now)
        self._context.limiter.restore(places)
        for entry in entries:
            self._context.registry.add(entry)
            self._context.feed.publish(entry.call.view())
            self._context.payments.adopt(entry.call.view())
            self._executor.schedule(entry)

    def abandon(self) -> None:
        """Stop without a command to anybody: another process goes on with the `snapshot`."""
        for entry in self._context.registry.all():
            entry.cancel_timer()
        self._context.feed.close()
