"""Ends all calls, or hands them over to another process, and takes them over from one: in good
order, or after its death."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from functools import partial

from b2bua.call.call import Call
from b2bua.call.command import CallCommand
from b2bua.call.owned_payment import FINAL
from b2bua.call.state import WAITS_FOR_MEDIA
from b2bua.call.view import CaptureStage
from b2bua.switchboard.context import SwitchboardContext
from b2bua.switchboard.entry import Entry, restore_entries, snapshot_entries
from b2bua.switchboard.executor import Executor
from b2bua.switchboard.fault_views import FaultViews
from b2bua.switchboard.feature_keys import FeatureKeys


class Handover:
    """The part of the switchboard that concerns its end, where another process goes on."""

    _context: SwitchboardContext
    _executor: Executor
    _fault_views: FaultViews
    _features: FeatureKeys
    media_is_renewed = False
    """Whether media is about to leave its place to another: that is no loss."""

    def _queue_all(self, happen: Callable[[Call, float], list[CallCommand]]) -> None:
        for entry in self._context.registry.all():
            self._queue_one(entry, happen)

    def _queue_one(self, entry: Entry, happen: Callable[[Call, float], list[CallCommand]]) -> None:
        step = partial(self._executor.step, entry, partial(happen, entry.call))
        self._context.run_queue.run(step)

    def publish_faults(self) -> None:
        """Show agents and load balancers what there is now."""
        self._fault_views.publish()

    def calls_left(self) -> int:
        """The number of calls."""
        return len(self._context.registry)

    def is_busy(self) -> bool:
        """Whether a call is left, or a charge is under way."""
        return bool(self._context.registry or self._context.payments.charging)

    def payments_under_way(self) -> int:
        """How many payments would end with this process, or have to be asked for by the next."""
        views = (entry.call.payment.view for entry in self._context.registry.all())
        under_way = [each for each in views if each is not None and each.stage not in FINAL]
        return max(len(under_way), int(self._context.payments.charging))

    def awaits_media(self) -> bool:
        """Whether a call waits for ports of media: it cannot go on in another process."""
        return any(entry.call.bridge.state in WAITS_FOR_MEDIA for entry in self._context.registry.all())

    def shut_down(self) -> None:
        """End every call in good order."""
        self._queue_all(Call.shut_down)

    async def settle(self, at_most: float) -> None:
        """After `shut_down`: wait for the last answers and outcomes, so many seconds at most, and
        record what is left."""
        registry = self._context.registry
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most if registry else 0):
                await registry.idle.wait()
        self._queue_all(Call.media_lost)
        for entry in registry.all():
            self._executor.record_unfinished(entry)
        self._context.feed.close()
        await self._features.close()
        await self._context.payments.close()

    @property
    def context(self) -> SwitchboardContext:
        """The calls, and what they are connected to."""
        return self._context

    def snapshot(self, now: float) -> bytes:
        """Serialise every call, between two events. The engine's snapshot comes first, because it
        delivers the events that wait. `now`: on the monotonic clock. Raises SnapshotError."""
        return self.write_calls(self._context.registry.all(), now)

    def write_calls(self, entries: tuple[Entry, ...], now: float) -> bytes:
        """Serialise these calls alone, with any that they lend a leg to, or borrow one from. As
        `snapshot`."""
        legs = [leg for entry in entries for leg in entry.all_legs()]
        return snapshot_entries(entries, self._context.limiter.places(legs), now)

    def restore(self, data: bytes, now: float) -> tuple[Entry, ...]:
        """Go on with the calls of a snapshot, before the first event. Raises SnapshotError; then
        nothing was restored."""
        entries, places = restore_entries(data, now)
        self._context.limiter.restore(places)
        for entry in entries:
            entry.call.report.stopped = self._fault_views.stopped
            self._context.registry.add(entry)
            self._context.feed.publish(entry.call.view())
            self._context.payments.adopt(entry.call.view())
            self._executor.schedule(entry)
        return tuple(entries)

    def claim_sessions(self, calls: Iterable[str] = ()) -> None:
        """Claim from media the session of each call that has none, now, or when media is connected:
        of these, which were another process's, and of those that media's death left without. What
        is masked goes first."""
        registry = self._context.registry
        for each in (registry.get(call) for call in calls):
            if each is not None:
                self._queue_one(each, Call.await_media)
        if not self._context.has_media:
            return
        for entry in sorted(registry.all(), key=lambda each: not each.call.payment.masked):
            capture = entry.call.payment.view
            charging = capture is not None and capture.stage is CaptureStage.CHARGING
            if capture is not None and charging and entry.call.session.away:
                self._context.payments.ask_for(capture.id)
            self._queue_one(entry, lambda call, _: call.claim())

    def give_up(self, entry: Entry) -> None:
        """End a call that cannot go on here."""
        self._context.run_queue.run(partial(self._executor.step, entry, entry.call.give_up))

    def abandon(self) -> None:
        """Stop without a command to anybody: another process goes on with the `snapshot`."""
        for entry in self._context.registry.all():
            entry.cancel_timer()
        self._context.feed.close()
