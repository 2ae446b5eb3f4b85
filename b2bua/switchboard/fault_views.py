"""Shows what is wrong with this Tonewall: on the feed, and in every call that it keeps from a
capture.

Rule 1: calls are moved where that changes, and not at every count.
"""

from __future__ import annotations

from collections.abc import Callable

from b2bua.call.call import Call
from b2bua.call.command import CallCommand
from b2bua.call.obstacle import Obstacle
from b2bua.call.service_view import ServiceView
from b2bua.switchboard.faults import Faults
from b2bua.switchboard.view_feed import Feed


class FaultViews:
    """The faults of one switchboard, as they are shown. `stopped`: what the calls have of them."""

    def __init__(
        self,
        faults: Faults,
        feed: Feed,
        queue_all: Callable[[Callable[[Call, float], list[CallCommand]]], None],
    ) -> None:
        """`queue_all` moves every call, each in its turn."""
        self._faults, self._feed, self._queue_all = faults, feed, queue_all
        self.stopped: Obstacle | None = None

    def publish(self) -> None:
        """Show what there is now, where it has changed."""
        self._feed.publish_service(ServiceView(faults=self._faults.all()))
        stopped = self._faults.obstacle()
        if stopped != self.stopped:
            self.stopped = stopped
            self._queue_all(lambda call, now: call.service_changed(stopped, now))
